"""Public keys from PEM to JWK: SubjectPublicKeyInfo (RFC 5280 §4.1) of the three algorithms, and nothing else."""

import base64
import binascii
import re
from typing import NamedTuple

__all__ = ["to_jwk"]

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_SEQUENCE, _BIT_STRING, _INTEGER = 0x30, 0x03, 0x02
_P256 = bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107")  # id-ecPublicKey, prime256v1
_ED25519 = bytes.fromhex("06032b6570")
_RSA = bytes.fromhex("06092a864886f70d0101010500")  # rsaEncryption, NULL
_POINT_BYTES = 65
_MIN_RSA_BYTES = 256


class _Part(NamedTuple):
    tag: int
    content: bytes
    rest: bytes


def to_jwk(pem: str, algorithm: str) -> dict[str, str]:
    """
    Return the members of the JWK (RFC 7517) that only the key decides: `kty`, `crv`, `x`, `y`, `n`, `e`.

    Raises:
        ValueError: this is not a PEM public key, or not one for the algorithm; the message says which.
    """
    if "PRIVATE KEY" in pem:
        raise ValueError("this is a private key; only the IAM service may have it. Give the public key")
    match = _PEM.fullmatch(pem)
    if match is None:
        raise ValueError("this is not a public key in PEM, which begins with -----BEGIN PUBLIC KEY-----")
    try:
        outer = _part(base64.b64decode("".join(match[1].split()), validate=True))
        kind = _part(outer.content)
        key = _part(kind.rest)
    except (binascii.Error, IndexError) as error:
        raise ValueError("the public key is damaged") from error
    if (outer.tag, kind.tag, key.tag) != (_SEQUENCE, _SEQUENCE, _BIT_STRING):
        raise ValueError("the public key is damaged")
    made = _READERS[algorithm](kind.content, key.content[1:])
    if made is None:
        raise ValueError(f"the public key is not one for {algorithm}")
    return made


def _es256(kind: bytes, key: bytes) -> dict[str, str] | None:
    if kind != _P256 or len(key) != _POINT_BYTES or key[0] != 4:
        return None
    return {"kty": "EC", "crv": "P-256", "x": _text(key[1:33]), "y": _text(key[33:])}


def _eddsa(kind: bytes, key: bytes) -> dict[str, str] | None:
    return {"kty": "OKP", "crv": "Ed25519", "x": _text(key)} if kind == _ED25519 and len(key) == 32 else None


def _rs256(kind: bytes, key: bytes) -> dict[str, str] | None:
    if kind != _RSA:
        return None
    try:
        modulus = _part(_part(key).content)
        exponent = _part(modulus.rest)
    except IndexError:
        return None
    number = modulus.content.lstrip(b"\x00")
    if (modulus.tag, exponent.tag) != (_INTEGER, _INTEGER) or len(number) < _MIN_RSA_BYTES:
        return None
    return {"kty": "RSA", "n": _text(number), "e": _text(exponent.content.lstrip(b"\x00"))}


_READERS = {"ES256": _es256, "EdDSA": _eddsa, "RS256": _rs256}


def _part(raw: bytes) -> _Part:
    """Read one DER element: tag, length, content."""
    tag, length, begin = raw[0], raw[1], 2
    if length >= 0x80:
        count = length & 0x7F
        length, begin = int.from_bytes(raw[2 : 2 + count], "big"), 2 + count
    if len(raw) < begin + length:
        raise IndexError("the element is cut off")
    return _Part(tag, raw[begin : begin + length], raw[begin + length :])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
