"""The published keys of the IAM service, from a file or its address, become the keys of the gateway."""

import asyncio
import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._signing_keys import SigningKeys
from mysingle.tooling.gateway import (
    GatewayFileError,
    GatewayKeysError,
    fetch_keys,
    gateway_config,
    lint,
    read_gateway,
    read_keys,
    render,
)
from mysingle.tooling.gateway._pem import to_jwk, to_pem

Write = Callable[..., Path]

EC, OTHER, RSA, OKP = (
    ECKey.generate_key("P-256"),
    ECKey.generate_key("P-256"),
    RSAKey.generate_key(2048),
    OKPKey.generate_key("Ed25519"),
)
PUBLISHED = [("current", EC, "ES256"), ("next", RSA, "RS256"), ("previous", OKP, "EdDSA"), ("oldest", OTHER, "ES256")]


def jwk(key: Any = EC, **changes: Any) -> dict[str, Any]:
    made = {**key.as_dict(private=False), "kid": "k1", "use": "sig", **changes}
    return {name: value for name, value in made.items() if value is not None}


JWKS = {"keys": [jwk(key, kid=kid, alg=algorithm) for kid, key, algorithm in PUBLISHED]}
EXPECTED = [(kid, algorithm, key.as_pem(private=False).decode()) for kid, key, algorithm in PUBLISHED]
FIRST = base64.urlsafe_b64encode(b"\x01" * 31).rstrip(b"=").decode()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(JWKS))
    return file


def mysingle(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from mysingle.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def credentials(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the keys that Kong gets: kid, algorithm, PEM."""
    (consumer,) = config["consumers"]
    return [(item["key"], item["algorithm"], item["rsa_public_key"]) for item in consumer["jwt_secrets"]]


@pytest.mark.parametrize("given_as", ["keys_file", "--keys"])
def test_every_published_key_is_a_credential(write: Write, keys_file: Path, given_as: str) -> None:
    """Kong gets the current key, the next one and the former ones, each with its algorithm, as the signer spells it."""
    if given_as == "keys_file":
        config = gateway_config(write(keys_file="jwks.json"), "kong")
    else:
        config = gateway_config(write(), "kong", keys=read_keys(keys_file))

    assert credentials(config) == EXPECTED


def test_rendered_file_is_clean(write: Write, keys_file: Path, tmp_path: Path) -> None:
    """The linter finds nothing in what published keys become, and YAML reads them as they were written."""
    rendered = tmp_path / "kong.yaml"
    rendered.write_text(render(write(), "kong", keys=read_keys(keys_file)))

    assert lint(rendered) == ()
    assert credentials(yaml.safe_load(rendered.read_text())) == EXPECTED


def test_given_keys_replace_those_of_the_list(write: Write, keys_file: Path) -> None:
    """Keys that are given beside the list are the only ones, for Envoy too, which then fetches none."""
    listed = [{"kid": "old", "algorithm": "ES256", "pem": OTHER.as_pem(private=False).decode()}]
    file = write(keys=listed)
    gateway = read_gateway(file, read_keys(keys_file))
    envoy = json.dumps(gateway_config(file, "envoy", keys=read_keys(keys_file)))

    assert [key.kid for key in gateway.keys] == [kid for kid, _, _ in PUBLISHED]
    assert gateway.jwks_url is None
    assert "local_jwks" in envoy
    assert "remote_jwks" not in envoy


def test_list_without_keys(write: Write, keys_file: Path) -> None:
    """A list that names no keys at all can be used with keys that are given beside it."""
    file = write(jwks_url=None)

    assert len(read_gateway(file, read_keys(keys_file)).keys) == len(PUBLISHED)
    with pytest.raises(GatewayFileError, match=r"nothing verifies the tokens; .* or keys_file"):
        read_gateway(file)


REFUSED: list[tuple[str, Any, str]] = [
    ("private", {"keys": [jwk(), jwk(EC, kid="p", d=EC.as_dict(private=True)["d"])]}, "it holds a private key"),
    ("private-rsa", {"keys": [{**RSA.as_dict(private=True), "kid": "k1"}]}, "it holds a private key"),
    ("symmetric", {"keys": [jwk(), {**OctKey.generate_key(256).as_dict(), "kid": "s"}]}, "it holds a symmetric key"),
    ("twice", {"keys": [jwk(), jwk(OTHER)]}, "two keys have the same kid"),
    ("empty", {"keys": []}, "it has no key for ES256, RS256, EdDSA"),
    ("encryption", {"keys": [jwk(use="enc")]}, "it has no key for"),
    ("other-curve", {"keys": [jwk(ECKey.generate_key("P-384"))]}, "it has no key for"),
    ("no-list", {"keys": {}}, "it needs a member 'keys'"),
    ("no-set", [], "this is no JSON object"),
    (
        "too-many",
        {"keys": [jwk(kid=str(number)) for number in range(65)]},
        ".* a list of at most 64",
    ),
    ("off-the-curve", {"keys": [jwk(x=EC.as_dict(private=False)["y"])]}, "the key k1: the public key is not one for"),
    ("short-x", {"keys": [jwk(x=FIRST)]}, "the key k1: the coordinates of the key do not have 32 bytes"),
    ("no-x", {"keys": [jwk(x=None)]}, "the key k1: the members of the key make none for ES256"),
    ("x-no-text", {"keys": [jwk(x=7)]}, "the key k1: the member x of the key is not base64url"),
    ("x-no-base64", {"keys": [jwk(x="a+/=")]}, "the key k1: the member x of the key is not base64url"),
    ("x-odd", {"keys": [jwk(x="a")]}, "the key k1: the member x of the key is not base64url"),
    ("short-rsa", {"keys": [jwk(RSA, n="AQAB" * 40)]}, "the key k1: the public key is not one for RS256"),
    ("short-okp", {"keys": [jwk(OKP, x=FIRST)]}, "the key k1: the public key is not one for EdDSA"),
    ("kid-with-line", {"keys": [jwk(kid="a\nb")]}, "a kid is not visible ASCII"),
    ("kid-not-ascii", {"keys": [jwk(kid="schlüssel")]}, "a kid is not visible ASCII"),
]


@pytest.mark.parametrize(("document", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_set(write: Write, tmp_path: Path, document: Any, said: str) -> None:
    """A set with a key that must not be there, or that is damaged, is one line that names the file and the reason."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(document))

    with pytest.raises(GatewayKeysError, match=rf"^{file}: {said}") as caught:
        read_keys(file)
    with pytest.raises(GatewayFileError, match=rf"gateway\.yaml:1: keys_file: jwks\.json cannot be used: {said}"):
        read_gateway(write(keys_file="jwks.json"))
    assert "\n" not in str(caught.value)
    assert EC.as_dict(private=True)["d"] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the file cannot be read: No such file"),
        (b"", "this is no JSON object"),
        (b"\xff", "this is no JSON object"),
        (b'{"keys": [], "keys": []}', "this is no JSON object"),
        (b" " * 262_145, "more than 262144 bytes"),
        (b"[" * 100_000, "this is no JSON object"),
    ],
    ids=["missing", "empty", "binary", "member-twice", "large", "deep"],
)
def test_file_that_is_no_set(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A file that is no set of keys is one line that names it."""
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(GatewayKeysError, match=said):
        read_keys(file)


def test_keys_and_keys_file(write: Write, keys_file: Path) -> None:
    """A list names its keys in one way."""
    listed = [{"kid": "k1", "algorithm": "ES256", "pem": EC.as_pem(private=False).decode()}]

    with pytest.raises(GatewayFileError, match="keys_file: keys and keys_file exclude each other"):
        read_gateway(write(keys=listed, keys_file="jwks.json"))


@given(st.binary(min_size=256, max_size=1024).filter(lambda raw: raw[0] > 0), st.binary(min_size=1, max_size=8))
def test_rsa_numbers(modulus: bytes, exponent: bytes) -> None:
    """Every modulus and exponent comes back from the PEM as it was, whatever its first bits are."""
    exponent = exponent.lstrip(b"\0") or b"\3"
    members = {
        name: base64.urlsafe_b64encode(raw).rstrip(b"=").decode() for name, raw in (("n", modulus), ("e", exponent))
    }

    assert to_jwk(to_pem(members, "RS256"), "RS256") == {"kty": "RSA", **members}


@dataclass
class Published:
    """What the address of the keys answers, and how often it was asked."""

    body: bytes = json.dumps(JWKS).encode()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_seconds: float = 0.0
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/.well-known/jwks.json"


@pytest.fixture
def published() -> Iterator[Published]:
    """Give the address of the keys on a real server."""
    state = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            with suppress(OSError):  # the client may have heard enough
                self.end_headers()
                for at in range(0, len(state.body), 100 if state.pause_seconds else len(state.body)):
                    self.wfile.write(state.body[at : at + 100] if state.pause_seconds else state.body)
                    time.sleep(state.pause_seconds)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


async def test_fetched_keys(published: Published) -> None:
    """The keys at an address are the same as those of a file with what it answers."""
    assert [(key.kid, key.algorithm, key.pem) for key in await fetch_keys(published.url)] == EXPECTED


BAD_ANSWERS: list[tuple[str, dict[str, Any], str]] = [
    ("redirect", {"status": 302, "headers": {"Location": "/elsewhere"}}, "status 302, and a plain 200 is needed"),
    ("away", {"status": 503}, "status 503, and a plain 200 is needed"),
    ("compressed", {"headers": {"Content-Encoding": "gzip"}}, "a plain 200 is needed"),
    ("large", {"body": b"{" + b" " * 300_000}, "more than 262144 bytes"),
    ("no-json", {"body": b"<html>"}, "this is no JSON object"),
    ("private", {"body": json.dumps(REFUSED[0][1]).encode()}, "it holds a private key"),
    ("symmetric", {"body": json.dumps(REFUSED[2][1]).encode()}, "it holds a symmetric key"),
    ("slow", {"pause_seconds": 0.1}, "no answer within 0.5 s"),
]


@pytest.mark.parametrize(("answer", "said"), [row[1:] for row in BAD_ANSWERS], ids=[row[0] for row in BAD_ANSWERS])
async def test_answer_that_cannot_be_used(published: Published, answer: dict[str, Any], said: str) -> None:
    """What the address answers is bounded in size and time, no redirect is followed, and the refusal is one line."""
    for name, value in answer.items():
        setattr(published, name, value)

    with pytest.raises(GatewayKeysError, match=rf"^{published.url}: .*{said}") as caught:
        await fetch_keys(published.url, timeout_seconds=0.5 if "pause_seconds" in answer else 10)
    assert published.asked == ["/.well-known/jwks.json"]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://iam:8000/jwks", "http://iam:8000/jwks: keys come from a URL of https"),
        ("http://127.0.0.1.example.com/jwks", "keys come from a URL of https"),
        ("file:///etc/passwd", "keys come from a URL of https"),
        ("ftp://127.0.0.1/jwks", "keys come from a URL of https"),
        ("jwks.json", "keys come from a URL of https"),
        ("https://user:s3cret@iam.example.com/jwks?token=s3cret", "https://iam.example.com/jwks: keys come from a"),
        ("http://[::1/jwks", "the address of the keys: keys come from a URL"),
        ("http://127.0.0.1:99999/jwks", "keys come from a URL"),
        ("http://127.0.0.1:1/jwks", "the keys cannot be fetched"),
    ],
)
async def test_address_that_cannot_be_used(url: str, said: str) -> None:
    """An address that somebody on the way could answer for, or that nobody answers, is one line without a secret."""
    with pytest.raises(GatewayKeysError) as caught:
        await fetch_keys(url)

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_command(write: Write, published: Published, keys_file: Path, tmp_path: Path) -> None:
    """The command takes the keys from a file or an address, and writes the same."""
    file, output = write(), tmp_path / "kong.yaml"
    fetched = await asyncio.to_thread(
        mysingle, "gateway", "render", file, "--target", "kong", "--fetch", published.url, "-o", output
    )
    read = mysingle("gateway", "render", file, "--target", "kong", "--keys", keys_file)
    unchanged = mysingle("gateway", "render", file, "--target", "kong", "--keys", keys_file, "-o", output, "--dry-run")

    assert (fetched.returncode, read.returncode, read.stdout) == (0, 0, output.read_text())
    assert credentials(yaml.safe_load(read.stdout)) == EXPECTED
    assert "would not change" in unchanged.stdout


async def test_failed_fetch_changes_nothing(write: Write, published: Published, tmp_path: Path) -> None:
    """When the keys cannot be fetched the command ends with 2 and one line, and the file stays as it was."""
    published.status = 503
    output = tmp_path / "kong.yaml"
    output.write_text("as it was")
    result = await asyncio.to_thread(
        mysingle, "gateway", "render", write(), "--target", "kong", "--fetch", published.url, "-o", output
    )

    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(f"error: {published.url}: status 503")
    assert output.read_text() == "as it was"


def test_one_source_of_keys(write: Write, keys_file: Path) -> None:
    """A file and an address together are wrong usage."""
    result = mysingle(
        *("gateway", "render", write(), "--target", "kong"), "--keys", keys_file, "--fetch", "https://iam.example.com"
    )

    assert result.returncode == 2
    assert "not allowed with argument" in result.stderr


async def test_rotation(write: Write, published: Published) -> None:
    """Rendered twice within the lead of a rotation, Kong has every key of the real user service before it signs."""
    now, day = 1_795_391_029.0, 86_400
    own = {"AUTH_SIGNING_KEY_LIFETIME_SECONDS": 3 * day, "AUTH_SIGNING_KEY_LEAD_SECONDS": day}
    settings = CommonSettings(_env_file=None, ENVIRONMENT="testing", **own)
    keys = SigningKeys(settings, MasterSecret(), clock=lambda: now)
    await keys.load()
    signers, pems = set(), {}
    for _ in range(20):
        signer = keys.current()
        published.body = json.dumps(keys.jwks()).encode()
        pems = pems or {kid: pem for kid, _, pem in await rendered(write, published)}
        token = jwt.encode({"alg": "ES256", "kid": signer.kid}, {"sub": "alice"}, signer.key)
        assert jwt.decode(token, ECKey.import_key(pems[signer.kid]), algorithms=["ES256"]).claims == {"sub": "alice"}

        signers.add(signer.kid)
        pems = {kid: pem for kid, _, pem in await rendered(write, published)}
        now += day / 2
        await keys.rotate_if_due()

    assert len(signers) == 4


async def rendered(write: Write, published: Published) -> list[tuple[str, str, str]]:
    return credentials(gateway_config(write(), "kong", keys=await fetch_keys(published.url)))
