"""The real Envoy with the configuration that we render, before real services, with tokens that are really signed."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc.jwk import ECKey

from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.propagation import IDENTITY_HEADERS
from mysingle.auth._headers import collect
from mysingle.auth._proof import HmacProof
from mysingle.embedded import EmbeddedEnvoy, ServerStartError
from mysingle.tooling.gateway import gateway_config

KEY = "test-gateway-key-0123456789abcdef"
KEYS = {"order-service": "order-gateway-key-0123456789abcdef", "quote-service": "quote-gateway-key-0123456789abcdef"}
STRATEGIES = "/api/v1/strategies"
SPOOFED = [
    ("X-User-Id", "b0b000000000000000000002"),
    ("X-User-Id", "b0b000000000000000000003"),
    ("X-User-Superuser", "true"),
    ("X_User_Superuser", "true"),
    ("X-User_Id", "b0b000000000000000000002"),
    ("X-Gateway-Signature", "v1=" + "0" * 64),
    ("X-Gateway-Secret", "guess"),
    ("X-Consumer-Groups", "admins"),
    ("X-Session-Id", "s2"),
]
WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Headers = list[tuple[bytes, bytes]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the method and the raw headers of the request."""
    assert scope["type"] == "http"
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    body = json.dumps({"method": scope["method"], "path": scope["path"], "headers": headers}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app with uvicorn in a thread; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@contextmanager
def upgrading() -> Iterator[str]:
    """Serve WebSocket handshakes: accept, say in a text frame what the headers were, and echo what comes back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = [tuple(line.split(": ", 1)) for line in head.split("\r\n")[1:] if line]
        key = {name.lower(): value for name, value in headers}["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_MAGIC).digest()).decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        text = json.dumps(headers).encode()
        writer.write(b"\x81\x7e" + len(text).to_bytes(2, "big") + text)
        await writer.drain()
        writer.write(await reader.read(100))
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture(scope="module")
def services(iam: Any) -> Iterator[dict[str, str]]:
    """Give the URLs of a service, of one that upgrades, and of the IAM's keys."""

    async def jwks(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(iam.jwks).encode()})

    with served(echo) as service, served(jwks) as keys, upgrading() as sockets:
        yield {"service": service, "keys": keys, "sockets": sockets}


@pytest.fixture(scope="module", params=["remote", "local"])
def gateway(
    request: pytest.FixtureRequest, iam: Any, services: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedEnvoy]:
    """Give an Envoy that gets the keys from the IAM, or has them in its configuration."""
    keys = {"remote": {"jwks_url": f"{services['keys']}/.well-known/jwks.json"}}.get(
        request.param, {"keys": [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]}
    )
    listed = [
        {
            "name": "strategy-service",
            "url": services["service"],
            "paths": [STRATEGIES, "/api/v1"],
            "public_paths": ["/api/v1/open/*", "/api/v1/ping"],
        },
        {
            "name": "quote-service",
            "url": services["sockets"],
            "paths": ["/api/v1/quotes"],
            "hmac_key": "env:QUOTE_HMAC_KEY",
        },
        {
            "name": "order-service",
            "url": services["service"],
            "paths": ["/api/v1/orders"],
            "hmac_key": "env:ORDER_HMAC_KEY",
        },
        {"name": "away-service", "url": "http://127.0.0.1:1", "public_paths": ["/away"]},
    ]
    file = tmp_path_factory.mktemp("gateway") / "gateway.yaml"
    file.write_text(json.dumps({"issuer": iam.issuer, **keys, "services": listed}))
    own = {"ORDER_HMAC_KEY": KEYS["order-service"], "QUOTE_HMAC_KEY": KEYS["quote-service"]}
    with EmbeddedEnvoy(gateway_config(file, "envoy"), environ={"GATEWAY_HMAC_KEY": KEY, **own}) as envoy:
        yield envoy


def call(envoy: EmbeddedEnvoy, path: str, token: str | None = None, **options: Any) -> httpx.Response:
    headers = [*options.pop("headers", ()), *([("Authorization", f"Bearer {token}")] if token else [])]
    return httpx.request(options.pop("method", "GET"), f"{envoy.url}{path}", headers=headers, **options)


def raw_headers(answer: httpx.Response) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.json()["headers"]]


def identity(headers: Headers) -> dict[str, str]:
    """Return what a service sees of the caller; a header that is there twice would be seen as such."""
    names = {name.lower(): name for name in IDENTITY_HEADERS}
    found = [
        (names[name.decode().replace("_", "-")], value.decode()) for name, value in headers if is_name(name, names)
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def is_name(name: bytes, names: dict[str, str]) -> bool:
    return name.decode().replace("_", "-") in names


def proof_of(headers: Headers, method: str = "GET", service: str = "strategy-service", key: str = KEY) -> str | None:
    """Let the service's own check judge the headers; return the kind of proof."""
    proof = HmacProof([key.encode()], service_name=service, max_skew_seconds=30, memory=100, clock=time.time)
    scope = {"type": "http", "method": method, "headers": headers}
    evidence = proof.check(scope, collect(scope))
    return evidence.proof if evidence else None


def test_valid_token(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """A valid token becomes identity headers, with a proof that the service accepts; the token itself goes along."""
    token = iam.token()
    answer = call(gateway, f"{STRATEGIES}/1?limit=2", token)
    headers = raw_headers(answer)

    assert identity(headers) == {
        "X-User-Id": "a11ce0000000000000000001",
        "X-User-Email": "alice@example.com",
        "X-User-Verified": "true",
        "X-User-Active": "true",
        "X-User-Superuser": "false",
        "X-User-Roles": "trader,user",
        "X-Session-Id": "s1",
    }
    assert proof_of(headers) == "hmac"
    assert dict(headers)[b"authorization"].decode() == f"Bearer {token}"
    assert answer.json()["path"] == f"{STRATEGIES}/1"


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
def test_method_is_signed(gateway: EmbeddedEnvoy, iam: Any, method: str) -> None:
    """The proof is for the method of the request."""
    headers = raw_headers(call(gateway, STRATEGIES, iam.token(), method=method))

    assert proof_of(headers, method) == "hmac"


def test_every_request_has_a_nonce_of_its_own(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """No two requests have the same nonce, also from different workers."""
    token = iam.token()
    nonces = [dict(raw_headers(call(gateway, STRATEGIES, token)))[b"x-gateway-nonce"] for _ in range(20)]

    assert len(set(nonces)) == 20


def test_spoofed_headers_are_gone(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """What the client says about a caller, also twice or under look-alike names, is replaced by what the token says."""
    headers = raw_headers(call(gateway, STRATEGIES, iam.token(), headers=SPOOFED))
    said = identity(headers)

    assert (said["X-User-Id"], said["X-User-Superuser"], said["X-Session-Id"]) == (
        "a11ce0000000000000000001",
        "false",
        "s1",
    )
    assert proof_of(headers) == "hmac"
    assert {b"x-gateway-secret", b"x-consumer-groups"}.isdisjoint(dict(headers))


@pytest.mark.parametrize("path", ["/api/v1/ping", "/api/v1/open", "/api/v1/open/docs/1"])
@pytest.mark.parametrize("with_token", [True, False])
def test_public_path(gateway: EmbeddedEnvoy, iam: Any, path: str, with_token: bool) -> None:
    """A public path needs no token, and whatever the client says about a caller is gone."""
    answer = call(gateway, path, iam.token() if with_token else None, headers=SPOOFED)
    names = {name.replace("_", "-") for name, _ in answer.json()["headers"]}

    assert answer.status_code == 200
    assert {name.lower() for name, _ in SPOOFED}.isdisjoint(names)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/pingpong", "/api/v1/ping/x", "/api/v1/opened", "/api/v1/open/../strategies", "/api/v1/open/%2e%2e/x"],
)
def test_beside_a_public_path(gateway: EmbeddedEnvoy, path: str) -> None:
    """What only looks like a public path needs a token."""
    with_path = http.client.HTTPConnection(gateway.host, gateway.port, timeout=10)
    with_path.request("GET", path)
    answer = with_path.getresponse()
    with_path.close()

    assert answer.status == 401


def test_escaped_slash(gateway: EmbeddedEnvoy) -> None:
    """A path that another server could read differently is refused."""
    assert call(gateway, "/api/v1/open%2f..%2fstrategies").status_code == 400


def test_path_of_another_segment(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """A path matches whole segments; what no service has is a 404."""
    assert call(gateway, "/api/v1beta", iam.token()).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": 1_700_000_000}, id="expired"),
        pytest.param({"exp": int(time.time()) - 31}, id="just-expired"),
        pytest.param({"exp": None}, id="no-exp"),
        pytest.param({"exp": int(time.time()) + 864_000}, id="lives-too-long"),
        pytest.param({"nbf": 4_000_000_000}, id="not-yet"),
        pytest.param({"aud": "other"}, id="wrong-aud"),
        pytest.param({"aud": ["mysingle", "other"]}, id="one-of-two-aud"),
        pytest.param({"aud": None}, id="no-aud"),
        pytest.param({"iss": "https://evil.example.com"}, id="wrong-iss"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"sub": None}, id="no-sub"),
        pytest.param({"header": {"typ": "JWT"}}, id="wrong-typ"),
        pytest.param({"header": {"typ": "service+jwt"}}, id="service-token"),
        pytest.param({"header": {"kid": "other"}}, id="wrong-kid"),
        pytest.param({"key": ECKey.generate_key("P-256")}, id="foreign-key"),
        pytest.param({"email": "a\nX-User-Superuser: true"}, id="newline"),
        pytest.param({"email": " alice@example.com"}, id="blank-before"),
        pytest.param({"roles": ["user,admin"]}, id="comma-in-role"),
        pytest.param({"roles": [1]}, id="number-as-role"),
        pytest.param({"roles": {"admin": True}}, id="object-as-roles"),
        pytest.param({"sid": "s" * 1025}, id="too-long"),
    ],
)
def test_refused_token(gateway: EmbeddedEnvoy, iam: Any, changes: dict[str, Any]) -> None:
    """A token that is not exactly one of ours is 401, as a problem document, and never reaches the service."""
    answer = call(gateway, STRATEGIES, iam.token(**changes), headers=SPOOFED)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["status"]) == ("TOKEN_INVALID", 401)
    assert answer.json()["type"] == "https://docs.mysingle.dev/errors/TOKEN_INVALID"
    assert answer.json()["title"] == "Token invalid"
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


def unsigned(iam: Any, algorithm: str) -> str:
    parts = [{"alg": algorithm, "typ": "at+jwt", "kid": "2026-11"}, iam.claims()]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def with_public_key_as_secret(iam: Any) -> str:
    """Sign with HMAC, with the public key as its secret."""
    signed = unsigned(iam, "HS256").removesuffix(".")
    signature = hmac.digest(iam.pem.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("forged", ["none", "None", "confused", "garbage", "stripped", "changed"])
def test_forged_token(gateway: EmbeddedEnvoy, iam: Any, forged: str) -> None:
    """No signature, one of another kind, or one of other claims is 401."""
    head, payload, signature = iam.token().split(".")
    other = iam.token(su=True).split(".")[1]
    token = {
        "confused": lambda: with_public_key_as_secret(iam),
        "garbage": lambda: "a.b.c",
        "stripped": lambda: f"{head}.{payload}.",
        "changed": lambda: f"{head}.{other}.{signature}",
    }.get(forged, lambda: unsigned(iam, forged))()

    assert call(gateway, STRATEGIES, token).status_code == 401


@pytest.mark.parametrize("path", [STRATEGIES, f"{STRATEGIES}?access_token=<token>", f"{STRATEGIES}?jwt=<token>"])
def test_no_token(gateway: EmbeddedEnvoy, iam: Any, path: str) -> None:
    """Without a token in its header a request is 401 AUTH_REQUIRED, whatever the query says."""
    answer = call(gateway, path.replace("<token>", iam.token()), headers=SPOOFED)

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")


def test_non_ascii_email(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """An address outside of ASCII goes as UTF-8, and the proof covers its bytes."""
    headers = raw_headers(call(gateway, STRATEGIES, iam.token(email="zoë@例え.jp")))

    assert dict(headers)[b"x-user-email"].decode() == "zoë@例え.jp"
    assert proof_of(headers) == "hmac"


@pytest.mark.parametrize("absent", ["email", "roles", "sid", "su"])
def test_absent_claim(gateway: EmbeddedEnvoy, iam: Any, absent: str) -> None:
    """A claim that is not there is a header that is not there, and an empty line in the proof."""
    headers = raw_headers(call(gateway, STRATEGIES, iam.token(**{absent: None})))

    assert len(identity(headers)) == len(IDENTITY_HEADERS) - 1
    assert proof_of(headers) == "hmac"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"service": "order-service"}, id="other-service"),
        pytest.param({"key": "another-gateway-key-0123456789abcdef"}, id="other-key"),
        pytest.param({"method": "POST"}, id="other-method"),
    ],
)
def test_proof_is_for_one_service(gateway: EmbeddedEnvoy, iam: Any, change: dict[str, str]) -> None:
    """The proof is worth nothing for another service, key or method."""
    headers = raw_headers(call(gateway, STRATEGIES, iam.token()))

    with pytest.raises(UnauthenticatedError, match="not valid"):
        proof_of(headers, **change)


def test_key_of_a_service(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """A service with a key of its own gets proofs of that key, also in turn with others; no other key fits them."""
    answers = [
        (name, raw_headers(call(gateway, path, iam.token(), headers=SPOOFED)))
        for _ in range(3)
        for name, path in (("strategy-service", STRATEGIES), ("order-service", "/api/v1/orders/7"))
    ]

    for name, headers in answers:
        assert proof_of(headers, service=name, key=KEYS.get(name, KEY)) == "hmac"
        for key in {KEY, *KEYS.values()} - {KEYS.get(name, KEY)}:
            with pytest.raises(UnauthenticatedError, match="not valid"):
                proof_of(headers, service=name, key=key)


@pytest.mark.parametrize("own", [{}, {"ORDER_HMAC_KEY": "short"}], ids=["missing", "short"])
def test_without_a_key(iam: Any, own: dict[str, str], tmp_path: Path) -> None:
    """Envoy does not start without the key of one of the services, and says which variable it is."""
    listed = [
        {"name": "strategy-service", "url": "http://127.0.0.1:1", "paths": [STRATEGIES]},
        {"name": "order-service", "url": "http://127.0.0.1:1", "paths": ["/orders"], "hmac_key": "env:ORDER_HMAC_KEY"},
    ]
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({"issuer": iam.issuer, "keys": keys, "services": listed}))
    envoy = EmbeddedEnvoy(gateway_config(file, "envoy"), environ={"GATEWAY_HMAC_KEY": KEY, **own})

    with pytest.raises(ServerStartError, match="the variable ORDER_HMAC_KEY must hold the key"):
        envoy.start()


def test_preflight(gateway: EmbeddedEnvoy) -> None:
    """A preflight, which has no token, reaches the service without a caller."""
    preflight = [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "POST"), *SPOOFED]
    answer = call(gateway, STRATEGIES, method="OPTIONS", headers=preflight)

    assert answer.status_code == 200
    assert identity(raw_headers(answer)) == {}


def test_correlation(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """A request without an id gets one, a request with an id keeps it, and the caller is told."""
    named = call(gateway, STRATEGIES, iam.token(), headers=[("X-Correlation-Id", "job-7")])
    unnamed = call(gateway, STRATEGIES, iam.token())

    assert (named.headers["x-correlation-id"], dict(raw_headers(named))[b"x-correlation-id"]) == ("job-7", b"job-7")
    assert unnamed.headers["x-correlation-id"].encode() == dict(raw_headers(unnamed))[b"x-correlation-id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([(f"X-H{n}", "v") for n in range(100)], 431, id="too-many"),
        pytest.param([("X-Large", "v" * 60_000)], 431, id="too-large"),
    ],
)
def test_limits(gateway: EmbeddedEnvoy, headers: list[tuple[str, str]], status: int) -> None:
    """Too many headers, or too large ones, end at the gateway."""
    assert call(gateway, "/api/v1/ping", headers=headers).status_code == status


def test_service_away(gateway: EmbeddedEnvoy) -> None:
    """A service that is away is a 503 problem document that tells nothing of the inside."""
    answer = call(gateway, "/away")

    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.json()["detail"] == "The service is away for the moment."


def upgrade(envoy: EmbeddedEnvoy, token: str | None) -> tuple[int, Any]:
    """Do a WebSocket handshake, and return its status, and the first message when it was accepted."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    spoofed = "".join(f"{name}: {value}\r\n" for name, value in SPOOFED)
    with (
        socket.create_connection((envoy.host, envoy.port), timeout=10) as connection,
        connection.makefile("rb") as reply,
    ):
        connection.sendall(
            f"GET /api/v1/quotes HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n{authorization}{spoofed}\r\n".encode()
        )
        status = int(reply.readline().split()[1])
        while reply.readline() != b"\r\n":
            pass
        if status != 101:
            return status, None
        _, marker = reply.read(2)
        assert marker == 126
        message = json.loads(reply.read(int.from_bytes(reply.read(2), "big")))
        connection.sendall(b"\x81\x84\0\0\0\0ping")
        assert reply.read(10) == b"\x81\x84\0\0\0\0ping"
        return status, message


def test_websocket(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """A WebSocket handshake needs a token too, gets its identity headers and proof, and then bytes go both ways."""
    status, said = upgrade(gateway, iam.token())
    headers = [(name.lower().encode(), value.encode()) for name, value in said]

    assert (status, identity(headers)["X-User-Id"]) == (101, "a11ce0000000000000000001")
    assert proof_of(headers, service="quote-service", key=KEYS["quote-service"]) == "hmac"


def test_websocket_without_token(gateway: EmbeddedEnvoy) -> None:
    """A WebSocket handshake without a token is refused before the service hears of it."""
    assert upgrade(gateway, None) == (401, None)


def test_access_log(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """Each request is one JSON line that names the caller, and holds neither the query nor the token."""
    token = iam.token()
    call(gateway, f"{STRATEGIES}/log?secret=hidden", token)
    assert gateway._home is not None
    log = gateway._home.log
    deadline = time.monotonic() + 15
    while f"{STRATEGIES}/log" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    text = log.read_text()
    (line,) = [line for line in text.splitlines() if f"{STRATEGIES}/log" in line]

    assert {"path": f"{STRATEGIES}/log", "status": 200, "user_id": "a11ce0000000000000000001"}.items() <= json.loads(
        line
    ).items()
    assert token not in text
    assert "hidden" not in text


def test_secret_is_nowhere(gateway: EmbeddedEnvoy) -> None:
    """The key is neither in the configuration nor on the command line of Envoy."""
    assert gateway._home is not None
    command = Path(f"/proc/{gateway.pid}/cmdline")

    assert KEY not in (gateway._home.path / "envoy.json").read_text()
    assert not command.exists() or KEY.encode() not in command.read_bytes()
