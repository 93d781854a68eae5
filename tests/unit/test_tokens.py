"""Tokens of end users: which pass, and in which words the others are refused."""

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.domain.errors import Unauthenticated
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.service.jwks import KeyFile
from shared.service.tokens import MAX_LENGTH, Tokens
from tests.tokens import (
    SECRET,
    claims,
    ec_key,
    public_ec,
    public_rsa,
    rsa_key,
    signed,
    write_keys,
)

NOW = time.time()


def tokens(keys: Path | None = None, **more: Any) -> Tokens:  # noqa: ANN401
    given = {"secret": SECRET, "audience": "authenticated", "issuer": None, **more}
    return Tokens(keys=KeyFile(keys) if keys else None, **given)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "jwks.json", public_rsa("r"), public_ec("e"))


async def refusal(verifier: Tokens, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await verifier.verify(token)
    assert token not in str(refused.value)
    return f"{refused.value.reason}: {refused.value.detail}"


def raw(header: object, payload: object, signature: bytes = b"x") -> str:
    parts = [each if isinstance(each, bytes) else orjson.dumps(each) for each in (header, payload)]
    coded = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in (*parts, signature)]
    return b".".join(coded).decode()


def hs256(payload: bytes, key: bytes, header: object = None) -> str:
    """Sign what a library would refuse to."""
    unsigned = raw(header or {"alg": "HS256"}, payload).rpartition(".")[0]
    signature = hmac.new(key, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_whose_a_token_is() -> None:
    verified = await tokens().verify(signed(sub="auth0|7"))
    user = Principal(tenant=DEFAULT_TENANT, user_id="auth0|7", scope=Scope.USER)
    assert verified.principal == user
    assert 3590 < verified.seconds <= 3610


async def test_each_source_verifies_what_it_signed(file: Path) -> None:
    verifier = tokens(file)
    for key, algorithm, kid in ((rsa_key(), "RS256", "r"), (ec_key(), "ES256", "e")):
        token = jwt.encode(claims(), key, algorithm, {"kid": kid})
        assert (await verifier.verify(token)).principal.user_id == "ada"
    assert (await verifier.verify(signed())).principal.user_id == "ada"


async def test_a_token_that_is_valid_for_a_moment_is_known_for_no_longer() -> None:
    verified = await tokens().verify(signed(exp=time.time() - 5))  # our clocks may differ
    assert 0 < verified.seconds <= 5.01
    assert (await tokens().verify(signed(exp=10**400))).seconds < 4000


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": NOW - 60}, "expired: Token has expired."),
        ({"aud": "anon"}, "audience: Invalid token audience."),
        ({"aud": ["a", "b"]}, "audience: Invalid token audience."),
        ({"exp": None}, "invalid: Invalid token: it has no `exp`."),
        ({"aud": None}, "invalid: Invalid token: it has no `aud`."),
        ({"sub": None}, "invalid: Invalid token: it has no `sub`."),
        ({"nbf": NOW + 600}, "invalid: Invalid token: it is not valid yet."),
        ({"iat": NOW + 600}, "invalid: Invalid token: it is not valid yet."),
        ({"exp": "9999999999"}, "invalid: Invalid token: its `exp` is no number."),
        ({"nbf": True}, "invalid: Invalid token: its `nbf` is no number."),
        ({"exp": [1]}, "invalid: Invalid token: it cannot be read."),
        ({"exp": float("inf")}, "invalid: Invalid token: it cannot be read."),
        ({"exp": float("nan")}, "invalid: Invalid token: it cannot be read."),
        ({"sub": 7}, "invalid: Invalid token: it cannot be read."),
        *(
            ({"sub": sub}, "invalid: Invalid token: its `sub` is no text of 1 to 255 characters.")
            for sub in ("", "x" * 256, "a\0b", "a\ud800b")
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)
async def test_what_a_token_must_say(changed: dict[str, Any], said: str) -> None:
    assert await refusal(tokens(), signed(**changed)) == said


async def test_an_issuer_where_one_is_asked_for() -> None:
    verifier = tokens(issuer="https://id.example")
    assert (await verifier.verify(signed(iss="https://id.example"))).seconds > 0
    assert await refusal(verifier, signed()) == "invalid: Invalid token: it has no `iss`."
    other = await refusal(verifier, signed(iss="https://id.example.evil"))
    assert other == "invalid: Invalid token: it is from another issuer."


async def test_a_small_difference_of_clocks_is_forgiven() -> None:
    soon = signed(nbf=time.time() + 5, iat=time.time() + 5, exp=time.time() + 9)
    assert (await tokens().verify(soon)).seconds > 0


NO_KEY = "invalid: Invalid token: no key of this server fits its `alg` and `kid`."
BAD_SIGNATURE = "invalid: Invalid token: signature verification failed."


async def test_no_key_is_taken_for_another(file: Path) -> None:
    verifier = tokens(file)
    public = rsa_key().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = orjson.dumps(claims())
    for secret in (pem, orjson.dumps(public_rsa("r")), b""):
        confused = hs256(good, secret, {"alg": "HS256", "kid": "r"})
        assert await refusal(verifier, confused) == BAD_SIGNATURE
        assert await refusal(tokens(file, secret=None), confused) == NO_KEY
    for algorithm in ("none", "None", "", None, "HS384", "RS512", "PS256", ["HS256"]):
        header = {"alg": algorithm, "kid": "r"}
        assert await refusal(verifier, raw(header, claims(), b"")) == NO_KEY
    crossed = jwt.encode(claims(), rsa_key(), "RS256", {"kid": "e"})
    assert await refusal(verifier, crossed) == NO_KEY
    unnamed = jwt.encode(claims(), rsa_key(), "RS256")
    assert await refusal(verifier, unnamed) == NO_KEY
    stranger = jwt.encode(claims(), rsa_key("another"), "RS256", {"kid": "r"})
    assert await refusal(verifier, stranger) == BAD_SIGNATURE
    assert await refusal(tokens(), crossed) == NO_KEY


async def test_what_is_no_token_is_refused_and_never_an_error(file: Path) -> None:
    deep = b"[" * 5000 + b"]" * 5000
    for odd in (
        "..",
        "ey.ey.ey",
        "eyJ!.e30.e30",
        raw({"alg": "HS256"}, b"\xff"),
        raw(b"{" * 3000, {}),
        raw(b"[]", {}),
        raw({"alg": "RS256", "kid": 7}, {}),
        raw({"alg": "HS256", "crit": 7}, {}),
        raw(b'{"alg": "HS256", "crit": ["\\ud800"]}', {}),
        raw({"alg": "HS256", "b64": False, "crit": ["b64"]}, b""),
        hs256(deep[:5000], SECRET.encode()),
        hs256(b"7", SECRET.encode()),
        hs256(b'{"exp": 1e999}', SECRET.encode()),
        hs256(b'{"exp": %s}' % (b"9" * 5000), SECRET.encode()),
    ):
        assert (await refusal(tokens(file), odd)).startswith("invalid: Invalid token: "), odd[:80]
    long = signed(more="x" * MAX_LENGTH)
    assert "longer than 8192" in await refusal(tokens(), long)


def test_only_what_looks_like_a_token_is_taken_for_one(file: Path) -> None:
    secret, keys, neither = tokens(), tokens(file, secret=None), tokens(secret=None)
    for text in (signed(), raw(b'{\n"alg": "HS256"}', {}), raw(b'{ "alg": "HS256"}', {})):
        assert secret.recognizes(text)
        assert keys.recognizes(text)
        assert not neither.recognizes(text)
    for text in ("inturn_abc", "a.b.c", "eyJ.x", "eyJ.a.b.c.d", ""):
        assert not secret.recognizes(text)


async def test_a_curve_of_another_size_is_no_es256(tmp_path: Path) -> None:
    both = write_keys(tmp_path / "k", public_ec("e"), public_ec("f", ec.SECP384R1))
    token = jwt.encode(claims(), ec_key(ec.SECP384R1), "ES384", {"kid": "f"})
    assert await refusal(tokens(both), token) == NO_KEY
