"""The file of public keys: what is read of it, and what happens when it changes."""

import os
from pathlib import Path

import pytest
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from shared.service import jwks
from shared.service.jwks import MAX_BYTES, BadKeyFile, KeyFile, read_keys
from tests.tokens import public_ec, public_rsa, replace_keys, rsa_key, spoil_keys, write_keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jwks.json"


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file whenever a key is asked for."""
    monkeypatch.setattr(jwks, "LOOK_SECONDS", 0.0)


def test_keys_that_verify_and_have_a_name_are_read(path: Path) -> None:
    private = RSAAlgorithm.to_jwk(rsa_key(), as_dict=True)
    write_keys(
        path,
        public_rsa("r", alg="RS256", use="sig"),
        public_ec("e"),
        {**private, "kid": "whole"},
        public_rsa("enc", use="enc"),
        public_rsa("other", alg="RS512"),
        public_rsa("small", bits=1024),
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 7},
        {**public_ec("point"), "y": "AAAA"},
        {name: value for name, value in public_rsa("r").items() if name != "kid"},
        public_rsa("n") | {"kid": 7},
        "nonsense",
    )
    keys = read_keys(path)
    assert set(keys) == {("r", "RS256"), ("e", "ES256"), ("whole", "RS256")}
    assert not hasattr(keys["whole", "RS256"].key, "private_numbers")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "no JSON Web Key Set"),
        (b'{"keys": 7}', "no JSON Web Key Set"),
        (b'{"keys": []}', "no RS256 or ES256 key"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "o"}]}', "no RS256 or ES256 key"),
        (b" " * (MAX_BYTES + 1), "larger than"),
    ],
    ids=range(8),
)
def test_a_file_that_is_of_no_use(path: Path, text: bytes | None, said: str) -> None:
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadKeyFile, match=said) as bad:
        read_keys(path)
    assert str(path) in str(bad.value)
    assert "\n" not in str(bad.value)


def test_what_is_no_file_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(BadKeyFile, match="is no file"):
        read_keys(path)


def test_one_name_is_one_key(path: Path) -> None:
    write_keys(path, public_rsa("r"), public_rsa("r", "another"))
    with pytest.raises(BadKeyFile, match="two RS256 keys"):
        read_keys(path)


@pytest.mark.usefixtures("_always")
async def test_a_rotated_file_is_read_again(path: Path) -> None:
    file = KeyFile(write_keys(path, public_rsa("old")))
    assert await file.find("old", "RS256")
    write_keys(path, public_rsa("new"), public_ec("also"))
    assert await file.find("new", "RS256")
    assert not await file.find("old", "RS256")
    replace_keys(path, public_rsa("last"))  # as a mounted secret is
    assert await file.find("last", "RS256")


@pytest.mark.usefixtures("_always")
async def test_a_broken_file_leaves_the_old_keys_in_force(path: Path) -> None:
    file = KeyFile(write_keys(path, public_rsa("old")))
    assert await file.find("old", "RS256")
    with capture_logs() as said:
        for spoil in (spoil_keys, Path.exists, Path.exists, Path.exists, Path.unlink):
            spoil(path)
            assert await file.find("old", "RS256")
    assert [each["event"] for each in said] == ["jwks_file_not_read"] * 2
    write_keys(path, public_rsa("new"))
    assert await file.find("new", "RS256")


async def test_a_file_is_not_looked_at_for_every_token(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeyFile(write_keys(path, public_rsa("r")))
    assert await file.find("r", "RS256")
    looked: list[object] = []
    monkeypatch.setattr(os, "stat", lambda *a, **k: looked.append((a, k)))
    for _ in range(100):
        assert await file.find("r", "RS256")
    assert looked == []
