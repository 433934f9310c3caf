"""Requests as bytes: methods, versions, line ends, sizes, and one request inside another."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Expected, Need, answered, attack, let_in, not_reached, refused
from mysingle.testing.attacks._forge import SUPERUSER, USER_ID, Forge, Header, claiming
from mysingle.testing.identity import ALICE

__all__ = ["WIRE"]

_NOBODY = refused("AUTH_REQUIRED")
_UNPROVEN = refused("GATEWAY_PROOF_MISSING")
_TOO_LARGE = refused("HEADERS_TOO_LARGE", status=431)
_BAD = not_reached(400)
_BAD_OR_INVALID = answered((400, ""), (401, "GATEWAY_PROOF_INVALID"))
_BAD_OR_NOBODY = answered((400, ""), (401, "AUTH_REQUIRED"))
_BAD_OR_UNPROVEN = answered((400, ""), (401, "GATEWAY_PROOF_MISSING"))
_SIGNED_AS_IT_IS = let_in(user=ALICE, is_superuser=False).or_else(_BAD_OR_INVALID)

Send = Callable[[Forge], list[bytes]]


def _method(name: str, *headers: Header) -> Send:
    return lambda forge: [forge.request(headers, method=name)]


_METHODS: dict[str, tuple[str, Send, Expected]] = {
    "method-head": ("asks for the head alone", _method("HEAD"), not_reached(401)),
    "method-head-claims": (
        "asks for the head, with claims",
        _method("HEAD", *claiming(superuser="true")),
        not_reached(401),
    ),
    "method-options": ("asks for the options", _method("OPTIONS"), _NOBODY),
    "method-options-claims": ("asks for the options, with claims", _method("OPTIONS", *claiming()), _UNPROVEN),
    "K2-preflight": (
        "sends a preflight, with claims",
        _method(
            "OPTIONS", ("Origin", "http://x"), ("Access-Control-Request-Method", "GET"), *claiming(superuser="true")
        ),
        not_reached(200, 204, 400),
    ),
    "K2-preflight-empty": (
        "sends a preflight for no method",
        _method("OPTIONS", ("Access-Control-Request-Method", "")),
        not_reached(200, 204, 400),
    ),
    "method-post": ("sends a POST, with claims", _method("POST", *claiming()), _UNPROVEN),
    "method-put": ("sends a PUT", _method("PUT"), _NOBODY),
    "method-delete": ("sends a DELETE", _method("DELETE"), _NOBODY),
    "method-patch": ("sends a PATCH, with claims", _method("PATCH", *claiming()), _UNPROVEN),
    "method-trace": ("sends a TRACE", _method("TRACE"), _NOBODY),
    "method-connect": ("sends a CONNECT", _method("CONNECT"), _NOBODY),
    "method-small": ("writes the method in small letters", _method("get"), _NOBODY),
    "method-small-preflight": (
        "writes a preflight in small letters",
        _method("options", ("Access-Control-Request-Method", "GET")),
        _NOBODY,
    ),
    "method-unknown": ("sends a method that nobody knows", _method("ATTACK"), _NOBODY),
    "method-empty": ("sends no method", lambda forge: [b" " + forge.request(method="").lstrip(b" ")], _BAD),
    "method-version-control": ("sends a method of another protocol", _method("PROPFIND", *claiming()), _UNPROVEN),
}


def _with_line(line: bytes) -> Send:
    """Send a signed request with one more line, as it is."""
    return lambda forge: [forge.request(forge.signed()).replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)]


_SUPERUSER = SUPERUSER.encode() + b": true"
_LINES: dict[str, tuple[str, bytes, Expected]] = {
    "A14-line-feed": ("ends a line with LF alone", b"X-A: 1\n" + _SUPERUSER, _BAD_OR_INVALID),
    "A14-line-feed-id": (
        "adds an id behind an LF",
        b"X-A: 1\n" + USER_ID.encode() + b": " + b"b" * 24,
        _BAD_OR_INVALID,
    ),
    "A14-carriage-return": ("puts a CR into a value", b"X-A: 1\r" + _SUPERUSER, _BAD),
    "A14-nul": ("puts a NUL into a value", b"X-A: 1\x00" + _SUPERUSER, _BAD),
    "A14-vertical-tab": ("puts a vertical tab into a value", b"X-A: 1\x0b" + _SUPERUSER, _BAD),
    "A14-folded": ("continues a value on the next line", b"X-A: 1\r\n " + _SUPERUSER, _SIGNED_AS_IT_IS),
    "A14-folded-tab": ("continues a value with a tab", b"X-A: 1\r\n\t" + _SUPERUSER, _SIGNED_AS_IT_IS),
    "A14-folded-id": ("continues a flag on the next line", SUPERUSER.encode() + b":\r\n true", _BAD_OR_INVALID),
    "A14-space-before-colon": ("puts a space before the colon", SUPERUSER.encode() + b" : true", _BAD),
    "A14-tab-before-colon": ("puts a tab before the colon", SUPERUSER.encode() + b"\t: true", _BAD),
    "A14-nul-in-name": ("puts a NUL into a name", SUPERUSER.encode() + b"\x00: true", _BAD),
    "A14-name-beyond-ascii": (
        "writes a name beyond ASCII",
        "X-Us\N{CYRILLIC SMALL LETTER IE}r-Superuser: true".encode(),
        _BAD,
    ),
    "A14-no-name": ("leaves the name out", b": true", _BAD),
    "A14-no-colon": ("leaves the colon out", SUPERUSER.encode(), _BAD),
    "A14-name-in-brackets": ("puts a name into brackets", b"(" + SUPERUSER.encode() + b"): true", _BAD),
}


def _padded(count: int, *headers: Header) -> Send:
    return lambda forge: [forge.request([*((f"X-A{number}", "1") for number in range(count)), *headers])]


_SIZES: dict[str, tuple[str, Send, Expected]] = {
    "K4-98-headers": ("hides a claim behind 97 headers", _padded(97, *claiming()), _UNPROVEN),
    "K4-101-headers": ("hides a claim behind 100 headers", _padded(100, *claiming()), _TOO_LARGE),
    "K4-300-headers": ("hides a claim behind 300 headers", _padded(300, *claiming()), _TOO_LARGE),
    "K4-300-headers-signed": (
        "adds 300 headers to a signed request",
        lambda forge: [forge.request([*((f"X-A{number}", "1") for number in range(300)), *forge.signed()])],
        _TOO_LARGE,
    ),
    "size-40-kib": ("sends a claim of 40 KiB", lambda forge: forge.get(*claiming("a" * 40_960)), _TOO_LARGE),
    "size-100-kib": (
        "sends a cookie of 100 KiB",
        lambda forge: forge.get(*claiming(), ("Cookie", "a" * 102_400)),
        _TOO_LARGE,
    ),
    "size-2-mib": ("sends a header of 2 MiB", lambda forge: forge.get(("X-A", "a" * (2 << 20))), not_reached(400, 431)),
}
_VERSIONS: dict[str, tuple[str, Send, Expected]] = {
    "http-1.0": ("speaks HTTP/1.0", lambda forge: [forge.request(version="HTTP/1.0", host=None)], _NOBODY),
    "http-1.0-claims": (
        "speaks HTTP/1.0, with claims",
        lambda forge: [forge.request(claiming(), version="HTTP/1.0", host=None)],
        _UNPROVEN,
    ),
    "http-1.1-no-host": ("leaves the host out", lambda forge: [forge.request(claiming(), host=None)], _BAD_OR_UNPROVEN),
    "http-1.1-two-hosts": (
        "names two hosts",
        lambda forge: [forge.request([("Host", "internal"), *claiming()])],
        _BAD_OR_UNPROVEN,
    ),
    "http-host-internal": (
        "names an internal host",
        lambda forge: [forge.request(claiming(), host=b"localhost")],
        _UNPROVEN,
    ),
    "http-0.9": ("speaks HTTP/0.9", lambda forge: [f"GET {forge.path}\r\n\r\n".encode()], _BAD),
    "http-2-preface": (
        "begins to speak HTTP/2",
        lambda forge: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        not_reached(400, 401, 505),
    ),
    "http-9.9": (
        "speaks a version that is none",
        lambda forge: [forge.request(version="HTTP/9.9")],
        not_reached(400, 401, 505),
    ),
    "http-h2c": (
        "asks for another protocol, with claims",
        lambda forge: forge.get(("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk"), *claiming()),
        _UNPROVEN,
    ),
    "http-expect": (
        "waits to be asked for a body, with claims",
        lambda forge: forge.get(("Expect", "100-continue"), ("Content-Length", "5"), *claiming()),
        _UNPROVEN,
    ),
}


def _inner(forge: Forge) -> bytes:
    return forge.request(claiming(superuser="true"))


def _hidden(*headers: tuple[str, str], prefix: bytes = b"0\r\n\r\n", method: str = "POST") -> Send:
    """Send a request whose body is another one, for servers that disagree about where a body ends."""
    return lambda forge: [forge.request(headers, method=method, closes=False, body=prefix + _inner(forge))]


_CHUNKED = ("Transfer-Encoding", "chunked")
_SMUGGLED: dict[str, tuple[str, Send]] = {
    "smuggle-both-lengths": ("gives a length, and sends chunks", _hidden(("Content-Length", "4"), _CHUNKED)),
    "smuggle-chunked": ("sends a request behind the last chunk", _hidden(_CHUNKED)),
    "smuggle-chunked-capitals": ("writes the encoding in capitals", _hidden(("Transfer-Encoding", "CHUNKED"))),
    "smuggle-chunked-unknown": ("names an encoding that nobody knows", _hidden(("Transfer-Encoding", "xchunked"))),
    "smuggle-chunked-twice": ("names the encoding twice", _hidden(_CHUNKED, _CHUNKED)),
    "smuggle-chunked-identity": ("names two encodings", _hidden(("Transfer-Encoding", "chunked, identity"))),
    "smuggle-chunked-tab": ("writes a tab before the encoding", _hidden(("Transfer-Encoding", "\tchunked"))),
    "smuggle-two-lengths": ("gives two lengths", _hidden(("Content-Length", "0"), ("Content-Length", "5"))),
    "smuggle-joined-lengths": ("gives two lengths in one header", _hidden(("Content-Length", "0, 5"))),
    "smuggle-plus-length": ("writes a plus before the length", _hidden(("Content-Length", "+5"))),
    "smuggle-negative-length": ("gives a negative length", _hidden(("Content-Length", "-1"))),
    "smuggle-no-length": ("gives no length", _hidden(prefix=b"")),
    "smuggle-get-body": ("sends a body with a GET", _hidden(("Content-Length", "5"), method="GET")),
    "smuggle-chunk-size": ("gives a chunk a size that is none", _hidden(_CHUNKED, prefix=b"0x0\r\n\r\n")),
    "smuggle-trailers": (
        "sends claims behind the last chunk",
        _hidden(_CHUNKED, prefix=b"0\r\n" + USER_ID.encode() + b": " + ALICE.encode() + b"\r\n\r\n"),
    ),
}


def _pipelined(first: Callable[[Forge], list[Header]], *second: Header) -> Send:
    return lambda forge: [forge.request(first(forge), closes=False) + forge.request(second)]


_CONNECTIONS: dict[str, tuple[str, Send, tuple[Expected, ...], tuple[Need, ...]]] = {
    "connection-after-signature": (
        "comes behind a signed request, with nothing",
        _pipelined(lambda forge: forge.signed()),
        (let_in(user=ALICE), _NOBODY),
        (Need.HMAC,),
    ),
    "connection-after-signature-claims": (
        "comes behind a signed request, with claims",
        _pipelined(lambda forge: forge.signed(), *claiming(superuser="true")),
        (let_in(user=ALICE), _UNPROVEN),
        (Need.HMAC,),
    ),
    "connection-after-token": (
        "comes behind a request with a token, with nothing",
        _pipelined(lambda forge: [forge.bearer(forge.tokens.good())]),
        (let_in(user=ALICE), _NOBODY),
        (Need.JWT,),
    ),
    "connection-after-secret": (
        "comes behind a request with the secret, with claims",
        _pipelined(lambda forge: forge.vouched(*claiming()), *claiming(superuser="true")),
        (let_in(user=ALICE), _UNPROVEN),
        (Need.SECRET,),
    ),
    "connection-body-of-signed": (
        "hides a request in the body of a signed one",
        lambda forge: [
            forge.request([*forge.signed(), ("Content-Length", str(len(_inner(forge))))], body=_inner(forge))
        ],
        (let_in(user=ALICE),),
        (Need.HMAC,),
    ),
    "connection-behind-signed-chunks": (
        "hides a request behind the chunks of a signed one",
        lambda forge: [forge.request([*forge.signed(), _CHUNKED], closes=False, body=b"0\r\n\r\n" + _inner(forge))],
        (let_in(user=ALICE), _UNPROVEN),
        (Need.HMAC,),
    ),
}

WIRE: tuple[Attack, ...] = (
    *(attack(name, does, send, expected) for name, (does, send, expected) in _METHODS.items()),
    *(
        attack(name, f"{does} of a signed request", _with_line(line), expected, needs=[Need.HMAC])
        for name, (does, line, expected) in _LINES.items()
    ),
    *(attack(name, does, send, expected) for name, (does, send, expected) in _SIZES.items()),
    *(attack(name, does, send, expected) for name, (does, send, expected) in _VERSIONS.items()),
    *(
        attack(name, does, send, _BAD_OR_NOBODY, _BAD_OR_UNPROVEN.or_silence())
        for name, (does, send) in _SMUGGLED.items()
    ),
    *(attack(name, does, send, *expected, needs=needs) for name, (does, send, expected, needs) in _CONNECTIONS.items()),
)
