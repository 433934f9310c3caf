"""Where attackers make their requests, as bytes: headers that no client would send, signatures, tokens."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mysingle._kernel import propagation
from mysingle.auth.signing import proof_headers
from mysingle.testing.attacks._service import Keys
from mysingle.testing.attacks._tokens import TokenForge
from mysingle.testing.identity import ALICE

__all__ = [
    "ACTIVE",
    "EMAIL",
    "NONCE",
    "ROLES",
    "SESSION",
    "SIGNATURE",
    "SUPERUSER",
    "TIMESTAMP",
    "USER_ID",
    "VERIFIED",
    "Forge",
    "Header",
    "Headers",
    "claiming",
    "replaced",
    "sending",
    "without",
]

Header = tuple[str | bytes, str | bytes]
Headers = Iterable[Header]

USER_ID, EMAIL, VERIFIED, ACTIVE, SUPERUSER, ROLES, SESSION = propagation.IDENTITY_HEADERS
SIGNATURE, TIMESTAMP, NONCE = propagation.GATEWAY_HEADERS
_CLAIMS = {
    "email": EMAIL,
    "verified": VERIFIED,
    "active": ACTIVE,
    "superuser": SUPERUSER,
    "roles": ROLES,
    "session": SESSION,
}


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


def claiming(user_id: str | bytes = ALICE, **more: str | bytes) -> list[Header]:
    """Return identity headers: `claiming(superuser="true", roles="admin")`."""
    return [(USER_ID, user_id), *((_CLAIMS[name], value) for name, value in more.items())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """
    Makes the requests of one run.

    Args:
        keys: what the gateway and the IAM service hold.
        service_name: for whom signatures are.
        path: a protected path, called with GET.
        open_path: one path that is open to everybody, and nothing below it.
        public_path: an open path with a handler of the service, if any.
        public_prefix: what is open with everything below it, if anything is.
        websocket_path: a protected WebSocket, if any.
    """

    keys: Keys
    service_name: str
    path: str
    open_path: str = "/health"
    public_path: str | None = None
    public_prefix: str | None = None
    websocket_path: str | None = None
    tokens: TokenForge = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", TokenForge(self.keys.signer))

    @property
    def now(self) -> int:
        """The time, in whole seconds."""
        return int(time.time())

    def request(
        self,
        headers: Headers = (),
        *,
        target: str | None = None,
        method: str = "GET",
        version: str = "HTTP/1.1",
        host: bytes | None = b"test",
        body: bytes = b"",
        closes: bool = True,
    ) -> bytes:
        """Return a whole request; the headers as they are, in their order."""
        first = f"{method} {self.path if target is None else target} {version}".rstrip(" ")
        lines = [_raw(first), *([b"Host: " + host] if host is not None else [])]
        lines += [_raw(name) + b": " + _raw(value) for name, value in headers]
        lines += [b"Connection: close"] if closes else []
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def get(self, *headers: Header, target: str | None = None) -> list[bytes]:
        """Return one GET of the protected path, or of another."""
        return [self.request(headers, target=target)]

    def upgrade(self, *headers: Header, target: str | None = None) -> list[bytes]:
        """Return one WebSocket handshake."""
        handshake: list[Header] = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        where = target or self.websocket_path or self.path
        return [self.request([*handshake, *headers], target=where, closes=False)]

    def signed(
        self,
        identity: Headers | None = None,
        *,
        key: str | None = None,
        service: str | None = None,
        method: str = "GET",
        age: int = 0,
        timestamp: str | None = None,
        nonce: str | None = None,
    ) -> list[Header]:
        """Return identity headers, ALICE's without other ones, with the signature of the gateway."""
        sent = list(claiming(verified="true", active="true") if identity is None else identity)
        proof = proof_headers(
            {str(name): _raw(value) for name, value in sent},
            key=(key or self.keys.hmac[0]).encode(),
            service_name=self.service_name if service is None else service,
            method=method,
            timestamp=str(self.now - age) if timestamp is None else timestamp,
            nonce=nonce,
        )
        return [*sent, *proof.items()]

    def vouched(self, *identity: Header) -> list[Header]:
        """Return identity headers with the shared secret of the gateway."""
        return [*identity, ("X-Gateway-Secret", self.keys.secret)]

    def bearer(self, token: str | bytes) -> Header:
        """Return the header with an access token."""
        return ("Authorization", b"Bearer " + _raw(token))


def sending(*headers: Header) -> Callable[[Forge], list[bytes]]:
    """Return what sends one GET with these headers."""
    return lambda forge: forge.get(*headers)


def replaced(headers: Headers, changes: Mapping[str, str | bytes]) -> list[Header]:
    """Return headers some of whose values are other ones."""
    return [(name, changes.get(str(name), value)) for name, value in headers]


def without(headers: Headers, *names: str) -> list[Header]:
    """Return headers without some of them."""
    return [(name, value) for name, value in headers if name not in names]
