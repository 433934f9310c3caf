"""What it costs to know the caller: in process, without sockets, beside an app that does not ask."""

import asyncio
import gc
import json
import statistics
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from mysingle._kernel.settings import CommonSettings
from mysingle.auth import AuthMiddleware
from mysingle.auth._keys import KeySet, VerificationKey
from mysingle.auth._proof import canonical, sign
from mysingle.auth._tokens import TokenVerifier

REQUESTS, ROUNDS = 4_000, 9
KEY = sha256(b"benchmark").hexdigest().encode()
ISSUER, SERVICE = "https://iam.example", "benchmark-service"
USER_ID = b"a11ce0000000000000000001"
ORDINARY = [
    (b"host", b"service:8000"),
    (b"accept", b"application/json"),
    (b"user-agent", b"benchmark/1"),
    (b"x-request-id", b"01a20629-b2b6-751d-9dfe-00b6da05ab6f"),
    (b"x-forwarded-for", b"203.0.113.7"),
]
IDENTITY = (USER_ID, b"alice@example.com", b"true", b"true", b"false", b"trader", b"s1")
NAMES = (
    b"x-user-id",
    b"x-user-email",
    b"x-user-verified",
    b"x-user-active",
    b"x-user-superuser",
    b"x-user-roles",
    b"x-session-id",
)
Scope = dict[str, Any]


async def app(scope: Any, receive: Any, send: Any) -> None:
    pass


def request(headers: list[tuple[bytes, bytes]]) -> Scope:
    return {"type": "http", "method": "GET", "path": "/orders", "headers": [*ORDINARY, *headers]}


def signed_requests() -> list[Scope]:
    timestamp = str(int(time.time())).encode()
    made = []
    for number in range(REQUESTS):
        nonce = sha256(b"%d" % number).hexdigest()[:32].encode()
        message = canonical(
            timestamp=timestamp, nonce=nonce, service_name=SERVICE.encode(), method=b"GET", identity=IDENTITY
        )
        proof = [
            (b"x-gateway-timestamp", timestamp),
            (b"x-gateway-nonce", nonce),
            (b"x-gateway-signature", sign(KEY, message)),
        ]
        made.append(request([*zip(NAMES, IDENTITY, strict=True), *proof]))
    return made


def make_token(key: ECKey, number: int = 0) -> bytes:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "mysingle",
        "sub": USER_ID.decode(),
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": f"{number:032x}",
        "sid": "s1",
        "client_id": "web",
        "auth_time": now,
        "amr": ["pwd"],
        "email": "alice@example.com",
        "email_verified": True,
        "active": True,
        "su": False,
        "roles": ["trader"],
    }
    header = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}
    return jws.serialize_compact(header, json.dumps(claims), key).encode()


def make_verifier(key: ECKey) -> TokenVerifier:
    keys = KeySet([VerificationKey("k1", "ES256", key)])
    return TokenVerifier(keys=keys, algorithms=["ES256"], issuer=ISSUER, audience="mysingle")


def measure() -> dict[str, float]:
    return asyncio.run(_measure())


async def _measure() -> dict[str, float]:
    key = ECKey.generate_key("P-256")
    token = make_token(key)
    production = {"_env_file": None, "ENVIRONMENT": "production"}
    by_hmac = CommonSettings(**production, GATEWAY_HMAC_KEYS=KEY.decode())
    by_word = CommonSettings(**production, GATEWAY_TRUST="network")
    plain = [request([(b"x-user-id", USER_ID)]) for _ in range(REQUESTS)]
    bearer = [request([(b"authorization", b"Bearer " + token)]) for _ in range(REQUESTS)]
    result = {
        "header_us": await _added([AuthMiddleware(app, settings=by_word, service_name=SERVICE)], lambda: plain),
        "hmac_us": await _added(_fresh(by_hmac), signed_requests),
        "cached_token_us": await _added([await _middleware_for_tokens(key, token)], lambda: bearer),
    }
    return {**result, **await _measure_tokens(key)}


def _fresh(settings: CommonSettings) -> list[Any]:
    """Give one for each round: a signature counts once."""
    return [AuthMiddleware(app, settings=settings, service_name=SERVICE) for _ in range(ROUNDS)]


async def _middleware_for_tokens(key: ECKey, token: bytes) -> Any:
    """Give a middleware whose verifier knows the key, and has seen the token."""
    settings = CommonSettings(
        _env_file=None, ENVIRONMENT="production", IAM_ISSUER=ISSUER, IAM_JWKS_URL="https://iam.example/jwks.json"
    )
    middleware = AuthMiddleware(app, settings=settings, service_name=SERVICE)
    verifier = make_verifier(key)
    await verifier.verify(token)
    middleware._gateway._verifier = verifier
    return middleware


async def _added(layers: list[Any], make: Callable[[], list[Scope]]) -> float:
    """Return the microseconds that a layer adds to a request: the median of rounds."""
    rounds = []
    for number in range(ROUNDS):
        layer = layers[number % len(layers)]
        without = await _seconds(app, [dict(scope) for scope in make()])
        rounds.append(await _seconds(layer, [dict(scope) for scope in make()]) - without)
    return statistics.median(rounds) / REQUESTS * 1e6


async def _seconds(called: Callable[..., Awaitable[None]], scopes: list[Scope]) -> float:
    """Return the processor time of these requests, on a heap that is settled as in a running service."""
    gc.collect()
    gc.freeze()
    started = time.process_time()
    for scope in scopes:
        await called(scope, None, None)
    seconds = time.process_time() - started
    gc.unfreeze()
    return seconds


async def _measure_tokens(key: ECKey) -> dict[str, float]:
    """Compare a whole verification with what the signature alone costs."""
    tokens = [make_token(key, number) for number in range(500)]
    parts = [token.rpartition(b".") for token in tokens]
    signatures = [(signed, _decoded(signature)) for signed, _, signature in parts]
    algorithm = jws.JWSRegistry.algorithms["ES256"]
    whole, raw = [], []
    for _ in range(ROUNDS):
        verifier = make_verifier(key)
        started = time.process_time()
        for token in tokens:
            await verifier.verify(token)
        between = time.process_time()
        for signed, signature in signatures:
            if not algorithm.verify(signed, signature, key):
                raise RuntimeError("the signature is good")
        whole.append(between - started)
        raw.append(time.process_time() - between)
    ratio = statistics.median(one / other for one, other in zip(whole, raw, strict=True))
    return {
        "token_us": statistics.median(whole) / len(tokens) * 1e6,
        "signature_us": statistics.median(raw) / len(tokens) * 1e6,
        "ratio_token": ratio,
    }


def _decoded(segment: bytes) -> bytes:
    return urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))


if __name__ == "__main__":
    print(json.dumps({name: round(value, 2) for name, value in measure().items()}, indent=2))
