import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from mysingle._kernel.logging import flush_logs, setup_logging
from mysingle.auth import AuthUnavailableError, JwksClient, KeySet, TokenVerifier
from mysingle.auth._keys import KeyFile, KeySetError, load_keys

NOW = 1_795_391_029
ISSUER = "https://iam.example"
ALGORITHMS = ("ES256", "RS256", "EdDSA")
DAY = 86_400


def jwk(**changed: Any) -> dict[str, Any]:
    made: dict[str, Any] = {**EC, "kid": "k", **changed}
    return {name: value for name, value in made.items() if value is not None}


EC = ECKey.generate_key("P-256").as_dict(private=False)
PRIVATE = ECKey.generate_key("P-256").as_dict(private=True)
SHARED = OctKey.generate_key(256).as_dict(private=True)
REFUSED: list[tuple[str, Any, str]] = [
    ("private key", {"keys": [{**PRIVATE, "kid": "k"}]}, "private key"),
    ("private key beside a good one", {"keys": [jwk(), {**PRIVATE, "kid": "p"}]}, "private key"),
    ("symmetric key", {"keys": [jwk(), {**SHARED, "kid": "s"}]}, "symmetric"),
    ("one kid twice", {"keys": [jwk(), jwk()]}, "same kid"),
    ("no list", {"keys": {}}, "a list"),
    ("nothing", {}, "a list"),
    ("empty", {"keys": []}, "no key"),
    ("too many", {"keys": [jwk(kid=str(number)) for number in range(65)]}, "at most 64"),
    ("no kid", {"keys": [jwk(kid=None)]}, "no key"),
    ("kid is a number", {"keys": [jwk(kid=1)]}, "no key"),
    ("long kid", {"keys": [jwk(kid="k" * 129)]}, "no key"),
    ("for encryption", {"keys": [jwk(use="enc")]}, "no key"),
    ("for signing only", {"keys": [jwk(key_ops=["sign"])]}, "no key"),
    ("other algorithm", {"keys": [jwk(alg="ES384")]}, "no key"),
    ("other curve", {"keys": [{**ECKey.generate_key("P-384").as_dict(private=False), "kid": "k"}]}, "no key"),
    ("unknown type", {"keys": [jwk(kty="XX")]}, "no key"),
    ("not on the curve", {"keys": [jwk(x=EC["y"])]}, "no key"),
    ("no x", {"keys": [jwk(x=None)]}, "no key"),
    ("x is no text", {"keys": [jwk(x=5)]}, "no key"),
    ("a text", {"keys": ["k"]}, "no key"),
    ("short RSA", {"keys": [{"kty": "RSA", "kid": "k", "n": "AQAB" * 40, "e": "AQAB"}]}, "no key"),
]


@pytest.mark.parametrize(("document", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_set(document: Any, message: str) -> None:
    """A set that holds what it must not, or nothing usable, is refused as a whole."""
    with pytest.raises(KeySetError, match=message):
        KeySet.from_jwks(document, ALGORITHMS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_set(algorithm: str, issuer: Any) -> None:
    """A key has the one algorithm of its type and curve, whether it says so or not."""
    (published,) = issuer.jwks(algorithm)["keys"]
    silent = {name: value for name, value in published.items() if name not in ("alg", "use")}
    keys = KeySet.from_jwks({"keys": [silent, jwk(kid="other", use="enc")]}, ALGORITHMS)
    key = keys.get(f"k-{algorithm}")

    assert len(keys) == 1
    assert key is not None
    assert (key.algorithm, keys.get("other")) == (algorithm, None)


def test_new_name_of_an_algorithm(issuer: Any) -> None:
    """A key may name its algorithm as RFC 9864 does."""
    (published,) = issuer.jwks("EdDSA")["keys"]
    keys = KeySet.from_jwks({"keys": [{**published, "alg": "Ed25519"}]}, ALGORITHMS)

    assert keys.get("k-EdDSA") is not None


@pytest.mark.parametrize(
    "octets", [b"short", b"change-this-to-a-real-secret-of-32-bytes"], ids=["short", "placeholder"]
)
def test_shared_key(octets: bytes, issuer: Any) -> None:
    """Where HS256 is accepted, a shared key is one only when nobody could guess it."""
    weak = {"kty": "oct", "kid": "weak", "k": urlsafe_b64encode(octets).rstrip(b"=").decode()}
    keys = KeySet.from_jwks({"keys": [*issuer.jwks("HS256")["keys"], weak]}, ["HS256"])

    assert keys.get("k-HS256") is not None
    assert keys.get("weak") is None


FILES: list[tuple[str, bytes | None, str]] = [
    ("missing", None, "cannot be read: No such file"),
    ("empty", b"", "no JSON object"),
    ("text", b"-----BEGIN PUBLIC KEY-----", "no JSON object"),
    ("list", b"[]", "no JSON object"),
    ("no keys", b"{}", "needs a member 'keys'"),
    ("member twice", b'{"keys": [], "keys": []}', "no JSON object"),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
async def test_unusable_file(content: bytes | None, message: str, tmp_path: Path) -> None:
    """A file that cannot be used says why, and lets nobody in."""
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_bytes(content)
    file = KeyFile(path, algorithms=ALGORITHMS)

    assert message in str(file.problem)
    with pytest.raises(KeySetError, match=message):
        load_keys(path, ALGORITHMS)
    with pytest.raises(AuthUnavailableError, match="not possible at the moment"):
        await file.key("k")


async def test_file_changes(issuer: Any, tmp_path: Path, clock: Any) -> None:
    """An unknown key makes the file be read again, at most every 30 s; what becomes unusable changes nothing."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(issuer.jwks("ES256")))
    file = KeyFile(path, algorithms=ALGORITHMS, clock=clock)
    path.write_text(json.dumps(issuer.jwks("ES256", "RS256")))
    too_early = await file.key("k-RS256")
    clock.now += 30
    in_time = await file.key("k-RS256")
    path.write_text("")
    clock.now += 30
    unknown, kept = await file.key("unknown"), await file.key("k-RS256")

    assert (too_early, unknown) == (None, None)
    assert in_time is not None
    assert kept == in_time
    assert file.problem == "the file is no JSON object"


@dataclass
class Published:
    """What the IAM service answers, and how often it was asked."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    port: int = 0
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/.well-known/jwks.json"


@pytest.fixture
def published(issuer: Any) -> Iterator[Published]:
    """Give the keys of an IAM service on a real server."""
    state = Published(json.dumps(issuer.jwks("ES256")).encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            time.sleep(state.delay_seconds)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            with suppress(OSError):  # the client may have heard enough
                self.end_headers()
                self.wfile.write(state.body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


def client(published: Published, clock: Callable[[], float], **options: Any) -> JwksClient:
    return JwksClient(published.url, algorithms=ALGORITHMS, clock=clock, **options)


async def settle() -> None:
    """Let what runs in the background end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others)


async def test_fetched_once(published: Published, clock: Any) -> None:
    """Keys are fetched when first needed, once for all who wait, and kept."""
    keys = client(published, clock)
    found = await asyncio.gather(*(keys.key("k-ES256") for _ in range(20)))

    assert {key.kid for key in found if key} == {"k-ES256"}
    assert published.asked == 1


async def test_unknown_key(published: Published, issuer: Any, clock: Any) -> None:
    """B11, B23: an unknown kid causes one fetch in 30 s, which finds a new key."""
    keys = client(published, clock)
    await keys.key("k-ES256")
    published.body = json.dumps(issuer.jwks("ES256", "RS256")).encode()
    early = [await keys.key("k-RS256") for _ in range(5)]
    clock.now += 30
    late = await asyncio.gather(*(keys.key("k-RS256") for _ in range(5)))
    unknown = [await keys.key(f"unknown-{number}") for number in range(5)]

    assert {*early, *unknown} == {None}
    assert None not in late
    assert published.asked == 2


async def test_stale_while_revalidate(published: Published, issuer: Any, clock: Any) -> None:
    """After 5 minutes the known keys answer at once, and newer ones come in the background."""
    keys = client(published, clock)
    await keys.key("k-ES256")
    published.body = json.dumps(issuer.jwks("RS256")).encode()
    clock.now += 301
    stale = await keys.key("k-ES256")
    await settle()
    gone = await keys.key("k-ES256")

    assert stale is not None
    assert gone is None
    assert published.asked == 2


async def test_away(published: Published, clock: Any) -> None:
    """B22: while the IAM service is away its keys are used for 24 hours, and then nobody gets in."""
    keys = client(published, clock)
    await keys.key("k-ES256")
    published.status = 503
    clock.now += DAY
    within = await keys.key("k-ES256")
    await settle()
    clock.now += 1
    with pytest.raises(AuthUnavailableError) as caught:
        await keys.key("k-ES256")
    published.status = 200
    clock.now += 1

    assert within is not None
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("AUTH_TEMPORARILY_UNAVAILABLE", 5)
    assert await keys.key("k-ES256") is not None


async def test_cold_and_away(published: Published, clock: Any) -> None:
    """Without any keys a caller hears 503, and the IAM service is asked once a second at most."""
    published.status = 500
    keys = client(published, clock)
    for _ in range(5):
        with pytest.raises(AuthUnavailableError, match="not possible"):
            await keys.key("k-ES256")
    clock.now += 1
    with pytest.raises(AuthUnavailableError, match="not possible"):
        await keys.key("k-ES256")

    assert published.asked == 2


BAD: list[tuple[str, dict[str, Any]]] = [
    ("redirect", {"status": 302, "headers": {"Location": "/.well-known/other.json"}}),
    ("not found", {"status": 404}),
    ("no JSON", {"body": b"<html>"}),
    ("private key", {"body": json.dumps({"keys": [{**PRIVATE, "kid": "k-ES256"}]}).encode()}),
    ("shared key", {"body": json.dumps({"keys": [{**SHARED, "kid": "k-ES256"}]}).encode()}),
    ("2 MB", {"body": b" " * 2_000_000}),
    ("compressed", {"headers": {"Content-Encoding": "gzip"}}),
    ("too slow", {"delay_seconds": 2.0}),
]


@pytest.mark.parametrize("answer", [row[1] for row in BAD], ids=[row[0] for row in BAD])
async def test_bad_answer(answer: Any, published: Published, clock: Any) -> None:
    """An answer that is no good changes nothing: whoever had no keys has none, whoever had some keeps them."""
    warm, cold = client(published, clock, timeout_seconds=0.5), client(published, clock, timeout_seconds=0.5)
    await warm.key("k-ES256")
    for name, value in answer.items():
        setattr(published, name, value)
    clock.now += 30
    unknown, known = await warm.key("unknown"), await warm.key("k-ES256")

    assert unknown is None
    assert known is not None
    with pytest.raises(AuthUnavailableError, match="not possible"):
        await cold.key("k-ES256")


async def test_nobody_there(clock: Any) -> None:
    """A port where nobody listens is an IAM service that is away."""
    keys = JwksClient("http://127.0.0.1:9/jwks.json", algorithms=ALGORITHMS, clock=clock)
    with pytest.raises(AuthUnavailableError, match="not possible"):
        await keys.key("k")


async def test_caller_goes_away(published: Published, clock: Any) -> None:
    """A caller who gives up takes the keys from nobody else."""
    published.delay_seconds = 0.2
    keys = client(published, clock)
    impatient = asyncio.create_task(keys.key("k-ES256"))
    patient = asyncio.create_task(keys.key("k-ES256"))
    await asyncio.sleep(0.05)
    impatient.cancel()

    assert await patient is not None
    assert impatient.cancelled()
    assert published.asked == 1


def test_other_loop(published: Published, clock: Any) -> None:
    """Keys that were fetched on one event loop serve the next one, and can be fetched there again."""
    keys = client(published, clock)

    async def twice() -> None:
        assert await keys.key("k-ES256") is not None
        clock.now += 301
        assert await keys.key("k-ES256") is not None

    asyncio.run(twice())
    asyncio.run(twice())


URLS = [
    ("https://iam.example/jwks.json", True),
    ("http://127.0.0.1:8000/jwks.json", True),
    ("http://[::1]:8000/jwks.json", True),
    ("http://localhost/jwks.json", True),
    ("http://iam.example/jwks.json", False),
    ("http://10.0.0.1/jwks.json", False),
    ("http://localhost.evil.example/jwks.json", False),
    ("https://user:password@iam.example/jwks.json", False),
    ("ftp://iam.example/jwks.json", False),
    ("file:///etc/passwd", False),
    ("jwks.json", False),
    ("", False),
]


@pytest.mark.parametrize(("url", "is_safe"), URLS, ids=[row[0] for row in URLS])
def test_address(url: str, is_safe: bool) -> None:
    """Keys come over https, or from this machine."""
    if is_safe:
        JwksClient(url, algorithms=ALGORITHMS)
        return
    with pytest.raises(ValueError, match="must be behind https"):
        JwksClient(url, algorithms=ALGORITHMS)


async def test_service_without_keys(published: Published, issuer: Any, clock: Any, make_service: Any) -> None:
    """B22: a service that cannot get the keys answers 503 and when to come back; over WebSocket, 1013."""
    published.status = 500
    values = {"ENVIRONMENT": "production", "IAM_ISSUER": ISSUER, "IAM_JWKS_URL": published.url}
    service = make_service(options={"clock": clock, "public_paths": ["/open"]}, **values)
    headers = [("Authorization", f"Bearer {issuer.token()}")]
    answer = await service.call(headers)
    conversation = await service.call(headers, kind="websocket")
    opened = await service.call(headers, "/open")

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "AUTH_TEMPORARILY_UNAVAILABLE", "5")
    assert answer.refused == ["AUTH_TEMPORARILY_UNAVAILABLE"]
    assert conversation.messages[0]["code"] == 1013
    assert (opened.status, opened.user) == (200, None)


async def test_service_with_keys(published: Published, issuer: Any, clock: Any, make_service: Any) -> None:
    """A service behind the jwt proof gets the keys by itself, once."""
    values = {"ENVIRONMENT": "production", "IAM_ISSUER": ISSUER, "IAM_JWKS_URL": published.url}
    service = make_service(options={"clock": clock}, **values)
    answers = [await service.call([("Authorization", f"Bearer {issuer.token(jti=str(n))}")]) for n in range(3)]
    garbage = await service.call([("Authorization", f"Bearer {issuer.token(header={'kid': 'unknown'})}")])

    assert [answer.code for answer in answers] == ["", "", ""]
    assert garbage.code == "TOKEN_INVALID"
    assert published.asked == 1


async def test_no_secrets_in_the_log(
    published: Published, issuer: Any, clock: Any, make_service: Any, tmp_path: Path
) -> None:
    """A failed fetch is told in one line that shows neither the answer nor the token."""
    setup_logging("my-service", log_format="json", log_file=tmp_path / "lines.log")
    published.body = b"hunter2 \x1b[31m"
    values = {"ENVIRONMENT": "production", "IAM_ISSUER": ISSUER, "IAM_JWKS_URL": published.url}
    service = make_service(options={"clock": clock}, **values)
    token = issuer.token()
    for given in (token, f"{token}hunter2", "hunter2\x1b[31m"):
        await service.call([("Authorization", f"Bearer {given}"), ("X-User-Email", "hunter2\n")])
    flush_logs()
    lines = (tmp_path / "lines.log").read_text()

    assert lines.count('"body":"auth.jwks.unavailable"') == 1
    assert "hunter2" not in lines
    assert token[:20] not in lines


async def test_verifier_needs_a_source(issuer: Any, published: Published, clock: Any) -> None:
    """A verifier works with any source of keys."""
    keys = client(published, clock)
    verifier = TokenVerifier(keys=keys, algorithms=ALGORITHMS, issuer=ISSUER, audience="mysingle", clock=clock)

    assert (await verifier.verify(issuer.token())).key_id == "k-ES256"
