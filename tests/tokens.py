"""Tokens as an identity provider signs them, and the files its public keys are in."""

import time
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a secret of thirty-two bytes, or more"


def claims(**more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Say what a good token says; None leaves a claim out."""
    said = {"sub": "ada", "aud": "authenticated", "exp": time.time() + 3600, **more}
    return {name: value for name, value in said.items() if value is not None}


def signed(**more: Any) -> str:  # noqa: ANN401
    """Sign by the shared secret."""
    return jwt.encode(claims(**more), SECRET, "HS256")


def rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    return _rsa_key(name, bits)


@cache
def _rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    del name  # only tells one key from another
    return rsa.generate_private_key(65537, bits)


def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return _ec_key(curve)


@cache
def _ec_key(curve: type[ec.EllipticCurve]) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def public_rsa(kid: str, name: str = "", bits: int = 2048, **more: object) -> dict[str, Any]:
    made = RSAAlgorithm.to_jwk(rsa_key(name, bits).public_key(), as_dict=True)
    return {**made, "kid": kid, **more}


def public_ec(
    kid: str, curve: type[ec.EllipticCurve] = ec.SECP256R1, **more: object
) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(ec_key(curve).public_key(), as_dict=True), "kid": kid, **more}


def write_keys(path: Path, *keys: object) -> Path:
    path.write_bytes(orjson.dumps({"keys": keys}))
    return path


def replace_keys(path: Path, *keys: object) -> None:
    """Put another file in its place."""
    write_keys(path.with_name("next"), *keys).replace(path)


def spoil_keys(path: Path) -> None:
    path.write_text("{")
