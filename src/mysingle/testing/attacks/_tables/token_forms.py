"""Tokens whose form is wrong: refused before anybody looks at what they say."""

import json
from base64 import b64encode
from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, attack, not_reached, refused
from mysingle.testing.attacks._forge import Forge
from mysingle.testing.attacks._tokens import TokenForge

__all__ = ["TOKEN_FORMS"]

_INVALID = refused("TOKEN_INVALID")
_TOO_LARGE = refused("HEADERS_TOO_LARGE", status=431)

Make = Callable[[TokenForge], str | bytes]


def _parts(forge: TokenForge) -> list[str]:
    return forge.good().split(".")


def _unpadded_bits(forge: TokenForge) -> str:
    """Change bits at the end of the signature that decode to nothing: another spelling of the same token."""
    token = forge.good()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _json_form(forge: TokenForge) -> str:
    head, payload, signature = _parts(forge)
    return json.dumps({"protected": head, "payload": payload, "signature": signature}, separators=(",", ":"))


def _standard_alphabet(forge: TokenForge) -> str:
    head, payload, _ = _parts(forge)
    return f"{head}.{payload}.{b64encode(bytes([0xFB, 0xFF] * 32)).decode().rstrip('=')}"


def _repeated(forge: TokenForge, member: str) -> bytes:
    payload = json.dumps(forge.signer.claims())
    return (payload[:-1] + f", {member}}}").encode()


def _repeated_header(forge: TokenForge, member: str) -> bytes:
    header = json.dumps(forge.header())
    return (header[:-1] + f", {member}}}").encode()


_FORMS: dict[str, tuple[str, Make]] = {
    "B02-none": ("asks for no signature", lambda forge: forge.unsigned("none")),
    "B02-none-mixed": ("asks for no signature, in mixed letters", lambda forge: forge.unsigned("nOnE")),
    "B02-none-capital": ("asks for no signature, with a capital", lambda forge: forge.unsigned("None")),
    "B02-none-signed": ("asks for no signature, and sends one", lambda forge: forge.unsigned("none", b"x" * 64)),
    "B02-none-no-dot": ("asks for no signature, in two parts", lambda forge: forge.unsigned("none").rstrip(".")),
    "B02-stripped": ("takes the signature away", lambda forge: ".".join(_parts(forge)[:2]) + "."),
    "B02-two-parts": ("takes the signature and its dot away", lambda forge: ".".join(_parts(forge)[:2])),
    "B02-zeros": ("sends a signature of zeros", lambda forge: forge.unsigned("ES256", bytes(64))),
    "B02-short": ("sends half of the signature", lambda forge: forge.good()[:-43]),
    "B02-payload-changed": (
        "changes the payload under a signature",
        lambda forge: ".".join([_parts(forge)[0], _parts(forge)[1][:-4] + "AAAA", _parts(forge)[2]]),
    ),
    "B02-signature-of-another": (
        "takes the signature of another token",
        lambda forge: ".".join([*_parts(forge)[:2], forge.good(su=True).split(".")[2]]),
    ),
    "B13-jwe": ("sends five parts, as an encrypted token has", lambda forge: f"{forge.good()}.AAAA.AAAA"),
    "B13-four-parts": ("sends four parts", lambda forge: f"{forge.good()}.AAAA"),
    "B13-one-part": ("sends one part", lambda forge: _parts(forge)[0]),
    "B13-empty-parts": ("sends three empty parts", lambda forge: ".."),
    "B13-json": ("sends the token as JSON", _json_form),
    "B13-padding": ("pads a part", lambda forge: forge.good() + "="),
    "B13-header-padding": ("pads the header", lambda forge: forge.good().replace(".", "=.", 1)),
    "B13-standard-alphabet": ("uses the other alphabet of base64", _standard_alphabet),
    "B13-other-spelling": ("spells the signature in another way", _unpadded_bits),
    "B13-space": ("puts a space into the token", lambda forge: forge.good().replace(".", ". ", 1)),
    "B13-percent": ("escapes a dot", lambda forge: forge.good().replace(".", "%2E", 1)),
    "B13-unicode-dot": ("uses another dot", lambda forge: forge.good().replace(".", "\N{FULLWIDTH FULL STOP}", 1)),
    "B13-bytes": ("sends bytes beyond ASCII", lambda forge: forge.good().encode() + b"\xff"),
    "B13-header-no-object": ("sends a list as the header", lambda forge: forge.with_raw(header=b"[]")),
    "B13-header-no-json": ("sends a header that is no JSON", lambda forge: forge.with_raw(header=b"{'alg':'ES256'}")),
    "B13-header-bom": (
        "sends a header with a byte order mark",
        lambda forge: forge.with_raw(header=b"\xef\xbb\xbf" + json.dumps(forge.header()).encode()),
    ),
    "B13-header-utf-16": (
        "sends a header in UTF-16",
        lambda forge: forge.with_raw(header=json.dumps(forge.header()).encode("utf-16")),
    ),
    "B13-payload-list": ("sends a list as the payload", lambda forge: forge.with_raw(payload=b"[1]")),
    "B13-payload-text": ("sends a text as the payload", lambda forge: forge.with_raw(payload=b'"admin"')),
    "B13-payload-no-json": ("sends a payload that is no JSON", lambda forge: forge.with_raw(payload=b"sub=admin")),
    "B13-payload-latin": ("sends a payload that is no UTF-8", lambda forge: forge.with_raw(payload=b'{"sub":"\xe9"}')),
    "B13-payload-tail": (
        "adds an object behind the payload",
        lambda forge: forge.with_raw(payload=json.dumps(forge.signer.claims()).encode() + b'{"su":true}'),
    ),
    "B14-9-kib": ("sends a token of 9 KiB", lambda forge: forge.good(padding="x" * 7000)),
    "B14-deep": ("nests the payload 5000 deep", lambda forge: forge.with_raw(payload=b'{"a":' + b"[" * 5000)),
    "B14-deep-header": ("nests the header 5000 deep", lambda forge: forge.with_raw(header=b"[" * 5000)),
    "B14-long-number": (
        "sends a number of 5000 digits",
        lambda forge: forge.with_raw(payload=b'{"exp":' + b"9" * 5000 + b"}"),
    ),
    "B15-sub-twice": (
        "names two users",
        lambda forge: forge.with_raw(payload=_repeated(forge, '"sub": "b0b000000000000000000002"')),
    ),
    "B15-su-twice": (
        "says twice whether he is a superuser",
        lambda forge: forge.with_raw(payload=_repeated(forge, '"su": true')),
    ),
    "B15-exp-twice": (
        "says twice when the token expires",
        lambda forge: forge.with_raw(payload=_repeated(forge, '"exp": 9999999999')),
    ),
    "B15-sub-escaped": (
        "names a second user with an escaped letter",
        lambda forge: forge.with_raw(payload=_repeated(forge, '"s\\u0075b": "b0b000000000000000000002"')),
    ),
    "B15-alg-twice": (
        "names two algorithms",
        lambda forge: forge.with_raw(header=_repeated_header(forge, '"alg": "none"')),
    ),
    "B15-kid-twice": ("names two keys", lambda forge: forge.with_raw(header=_repeated_header(forge, '"kid": "x"'))),
}
_LARGE: dict[str, tuple[str, Make, Expected]] = {
    "B14-40-kib": ("sends a token of 40 KiB", lambda forge: "a" * 40_960, _TOO_LARGE),
    "B14-1-mib": ("sends a token of 1 MiB", lambda forge: "a" * (1 << 20), not_reached(400, 431)),
    "B14-dots": ("sends 8000 dots", lambda forge: "." * 8000, _INVALID),
}


def _sent(make: Make) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(make(forge.tokens)))


TOKEN_FORMS: tuple[Attack, ...] = (
    *(attack(name, does, _sent(make), _INVALID, needs=[Need.JWT]) for name, (does, make) in _FORMS.items()),
    *(attack(name, does, _sent(make), expected, needs=[Need.JWT]) for name, (does, make, expected) in _LARGE.items()),
)
