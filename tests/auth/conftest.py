import asyncio
import hashlib
import hmac
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from mysingle._kernel.context import current_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import CommonSettings
from mysingle.auth import AuthEvidence, AuthMiddleware

Headers = Iterable[tuple[str, str | bytes]]

NOW = 1_795_391_029
USER_ID = "507f1f77bcf86cd799439011"
GATEWAY_KEY = "a-gateway-key-of-this-test-suite-only"
ISSUER = "https://iam.example"
SIGNED = (
    "X-User-Id",
    "X-User-Email",
    "X-User-Verified",
    "X-User-Active",
    "X-User-Superuser",
    "X-User-Roles",
    "X-Session-Id",
)


class MakeSettings(Protocol):
    def __call__(self, **values: Any) -> CommonSettings: ...


@dataclass
class Answer:
    """What came back, and what the app inside saw; `scope` is None when the app was not reached."""

    messages: list[dict[str, Any]]
    scope: dict[str, Any] | None
    context_user: AuthenticatedUser | None
    refused: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def problem(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(b"".join(message.get("body", b"") for message in self.messages[1:]))
        return loaded

    @property
    def code(self) -> str:
        return "" if self.status < 400 else str(self.problem["code"])

    @property
    def user(self) -> AuthenticatedUser | None:
        assert self.scope is not None
        found: AuthenticatedUser | None = self.scope["state"]["user"]
        return found

    @property
    def evidence(self) -> AuthEvidence | None:
        assert self.scope is not None
        found: AuthEvidence | None = self.scope["state"]["auth"]
        return found

    @property
    def seen_headers(self) -> dict[bytes, bytes]:
        assert self.scope is not None
        return dict(self.scope["headers"])


class Service:
    """A plain ASGI app behind the middleware, as in an app that `core` did not assemble."""

    def __init__(self, settings: CommonSettings, **options: Any) -> None:
        self.refused: list[str] = []
        self._reached: list[tuple[dict[str, Any], AuthenticatedUser | None]] = []
        self.middleware = AuthMiddleware(self._app, settings=settings, on_refused=self.refused.append, **options)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self._reached.append((scope, current_context().user))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})

    async def call(self, headers: Headers = (), path: str = "/orders", kind: str = "http", **more: Any) -> Answer:
        raw = [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
            for name, value in headers
        ]
        scope = {"type": kind, "path": path, "headers": raw, **({"method": "GET"} if kind == "http" else {}), **more}
        messages: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            messages.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        self._reached.clear()
        self.refused.clear()
        await asyncio.create_task(self._run(scope, receive, send))
        reached, user = self._reached[0] if self._reached else (None, None)
        return Answer(messages, reached, user, list(self.refused))

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        await self.middleware(scope, receive, send)


class MakeService(Protocol):
    def __call__(self, *, options: dict[str, Any] | None = None, **values: Any) -> Service: ...


@pytest.fixture
def make_service(make_settings: MakeSettings) -> MakeService:
    """Give a function that builds a service from settings; `options` are the middleware's."""

    def make(*, options: dict[str, Any] | None = None, **values: Any) -> Service:
        return Service(make_settings(**values), **{"service_name": "my-service", **(options or {})})

    return make


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still until a test moves it."""
    return Clock()


class Gateway:
    """Signs identity headers as the gateway's recipe does, written from the specification alone."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def sign(
        self,
        identity: dict[str, str | bytes],
        *,
        service: str = "my-service",
        method: str = "GET",
        key: str = GATEWAY_KEY,
        timestamp: str = str(NOW),
        nonce: str | None = None,
    ) -> list[tuple[str, str | bytes]]:
        nonce = nonce or f"{next(self._numbers):032x}"
        values = [identity.get(name, b"") for name in SIGNED]
        raw = [value if isinstance(value, bytes) else value.encode("latin-1") for value in values]
        lines = [b"v1", timestamp.encode(), nonce.encode(), service.encode(), method.encode(), *raw]
        digest = hmac.new(key.encode(), b"\n".join(lines), hashlib.sha256).hexdigest()
        return [
            *identity.items(),
            ("X-Gateway-Timestamp", timestamp),
            ("X-Gateway-Nonce", nonce),
            ("X-Gateway-Signature", f"v1={digest}"),
        ]


@pytest.fixture
def gateway() -> Gateway:
    """Give a gateway that shares GATEWAY_KEY with the service."""
    return Gateway()


def segment(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@cache
def make_key(kind: str, size: str | int) -> Any:
    types: dict[str, Any] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey, "oct": OctKey}
    return types[kind].generate_key(size)


KEYS = {"ES256": ("EC", "P-256"), "RS256": ("RSA", 2048), "EdDSA": ("OKP", "Ed25519"), "HS256": ("oct", 256)}
JOSE_NAMES = {"EdDSA": "Ed25519"}


class Issuer:
    """Makes access tokens as the IAM service does, and every other token that somebody might send."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def key(self, algorithm: str = "ES256") -> Any:
        return make_key(*KEYS[algorithm])

    def claims(self, now: int = NOW, **changed: Any) -> dict[str, Any]:
        """Give the claims of a good token; a value of None takes one away."""
        made = {
            "iss": ISSUER,
            "aud": "mysingle",
            "sub": USER_ID,
            "iat": now,
            "nbf": now,
            "exp": now + 900,
            "jti": "j-1",
            "sid": "s1",
            "client_id": "web",
            "auth_time": now,
            "amr": ["pwd"],
            "email": "u@x.com",
            "email_verified": True,
            "active": True,
            "su": False,
            "roles": ["user", "trader"],
        }
        return {name: value for name, value in {**made, **changed}.items() if value is not None}

    def token(self, algorithm: str = "ES256", header: dict[str, Any] | None = None, **changed: Any) -> str:
        return self.raw_token(json.dumps(self.claims(**changed)).encode(), algorithm, header)

    def raw_token(
        self,
        payload: bytes,
        algorithm: str = "ES256",
        header: dict[str, Any] | None = None,
        key: Key | None = None,
    ) -> str:
        """Sign any payload; the header's members replace ours, and None takes one away."""
        made = {"typ": "at+jwt", "alg": algorithm, "kid": f"k-{algorithm}", **(header or {})}
        given = {name: value for name, value in made.items() if value is not None}
        return self.sign(json.dumps(given).encode(), payload, algorithm, key)

    def sign(self, header: bytes, payload: bytes, algorithm: str = "ES256", key: Key | None = None) -> str:
        message = f"{segment(header)}.{segment(payload)}"
        signer = jws.JWSRegistry.algorithms[JOSE_NAMES.get(algorithm, algorithm)]
        return f"{message}.{segment(signer.sign(message.encode(), key or self.key(algorithm)))}"

    def jwks(self, *algorithms: str) -> dict[str, Any]:
        return {
            "keys": [
                {**self.key(name).as_dict(private=name == "HS256"), "kid": f"k-{name}", "use": "sig", "alg": name}
                for name in algorithms or ("ES256",)
            ]
        }

    def settings(self, *algorithms: str, **more: Any) -> dict[str, Any]:
        """Give what a service needs to believe these tokens under production rules."""
        path = self._folder / "jwks.json"
        path.write_text(json.dumps(self.jwks(*algorithms)))
        made = {
            "ENVIRONMENT": "production",
            "IAM_ISSUER": ISSUER,
            "IAM_PUBLIC_KEYS_FILE": path,
            "AUTH_ALGORITHMS": ",".join(algorithms or ("ES256",)),
        }
        return {**made, **more}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """Give an issuer of tokens, and the keys that services verify them with."""
    return Issuer(tmp_path)
