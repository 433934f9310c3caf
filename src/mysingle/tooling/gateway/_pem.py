"""Public keys as PEM and as JWK: SubjectPublicKeyInfo (RFC 5280 §4.1) of the three algorithms, and nothing else."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["to_jwk", "to_pem"]

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,1400}")
_SEQUENCE, _BIT_STRING, _INTEGER = 0x30, 0x03, 0x02
_PEM_COLUMNS = 64
_P256 = bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107")  # id-ecPublicKey, prime256v1
_ED25519 = bytes.fromhex("06032b6570")
_RSA = bytes.fromhex("06092a864886f70d0101010500")  # rsaEncryption, NULL
_POINT_BYTES = 65
_COORDINATE_BYTES = 32
_P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_MIN_RSA_BYTES, _MAX_RSA_BYTES = 256, 1024


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


def to_pem(members: Mapping[str, object], algorithm: str) -> str:
    """
    Return the PEM of a public key that is given as the members of a JWK.

    Raises:
        ValueError: the members make no key for the algorithm.
    """
    try:
        key = _WRITERS[algorithm](members)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the members of the key make none for {algorithm}") from error
    text = base64.b64encode(key).decode("ascii")
    lines = "\n".join(text[at : at + _PEM_COLUMNS] for at in range(0, len(text), _PEM_COLUMNS))
    pem = f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"
    to_jwk(pem, algorithm)
    return pem


def _es256(kind: bytes, key: bytes) -> dict[str, str] | None:
    if kind != _P256 or len(key) != _POINT_BYTES or key[0] != 4 or not _is_on_curve(key[1:33], key[33:]):
        return None
    return {"kty": "EC", "crv": "P-256", "x": _text(key[1:33]), "y": _text(key[33:])}


def _is_on_curve(x: bytes, y: bytes) -> bool:
    """Tell whether a point lies on P-256; a verifier that meets another one fails at every token."""
    at, height = int.from_bytes(x), int.from_bytes(y)
    is_inside = at < _P256_PRIME and height < _P256_PRIME
    return is_inside and (height**2 - (at**3 - 3 * at + _P256_B)) % _P256_PRIME == 0


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
    if (modulus.tag, exponent.tag) != (_INTEGER, _INTEGER) or not _MIN_RSA_BYTES <= len(number) <= _MAX_RSA_BYTES:
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


def _write_es256(members: Mapping[str, object]) -> bytes:
    x, y = _octets(members, "x"), _octets(members, "y")
    if {len(x), len(y)} != {_COORDINATE_BYTES}:
        raise ValueError("the coordinates of the key do not have 32 bytes each")
    return _key(_P256, b"\x04" + x + y)


def _write_eddsa(members: Mapping[str, object]) -> bytes:
    return _key(_ED25519, _octets(members, "x"))


def _write_rs256(members: Mapping[str, object]) -> bytes:
    numbers = (_octets(members, name).lstrip(b"\x00") for name in ("n", "e"))
    return _key(_RSA, _element(_SEQUENCE, b"".join(map(_integer, numbers))))


def _integer(number: bytes) -> bytes:
    """Write a natural number; one whose first bit is set would be read as negative, so it gets a byte before it."""
    is_plain = number != b"" and number[0] < 0x80
    return _element(_INTEGER, number if is_plain else b"\x00" + number)


_WRITERS = {"ES256": _write_es256, "EdDSA": _write_eddsa, "RS256": _write_rs256}


def _key(kind: bytes, key: bytes) -> bytes:
    return _element(_SEQUENCE, _element(_SEQUENCE, kind) + _element(_BIT_STRING, b"\x00" + key))


def _element(tag: int, content: bytes) -> bytes:
    """Write one DER element."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _octets(members: Mapping[str, object], name: str) -> bytes:
    text = members[name]
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise ValueError(f"the member {name} of the key is not base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(f"the member {name} of the key is not base64url") from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
