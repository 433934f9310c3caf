"""The list of services: what it becomes, and what is said about each mistake in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mysingle.tooling.gateway import GatewayFileError, read_gateway
from mysingle.tooling.gateway._pem import to_jwk

Write = Callable[..., Path]

GOOD = """
issuer: https://iam.example.com
jwks_url: https://iam.example.com/.well-known/jwks.json
services:
  - name: strategy-service
    url: https://strategy-service:8443
    paths: [/api/v1/strategies]
    public_paths: [/api/v1/open/*]
    mtls:
      certificate: /etc/gateway/client.pem
      key: /etc/gateway/client.key
"""


def test_defaults(tmp_path: Path) -> None:
    """What the file does not say has a safe default."""
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD)
    gateway = read_gateway(file)
    (service,) = gateway.services

    assert (gateway.audience, gateway.hmac_key, gateway.listen) == ("mysingle", "env:GATEWAY_HMAC_KEY", "0.0.0.0:8080")
    assert (gateway.trusted_hops, service.timeout_seconds) == (0, 60)
    assert service.hmac_key == gateway.hmac_key
    assert service.endpoint == ("strategy-service", 8443, True)
    assert service.mtls is not None
    assert service.mtls.certificate == "/etc/gateway/client.pem"


def service(**changes: Any) -> dict[str, Any]:
    made = {"name": "strategy-service", "url": "http://strategy:8000", "paths": ["/api/v1/strategies"], **changes}
    return {name: value for name, value in made.items() if value is not None}


def key(**changes: Any) -> dict[str, Any]:
    return {
        "kid": "k1",
        "algorithm": "ES256",
        "pem": ECKey.generate_key("P-256").as_pem(private=False).decode(),
        **changes,
    }


MISTAKES = [
    ("no-issuer", {"issuer": None}, "'issuer' is missing; accepted is the IAM_ISSUER"),
    ("unknown", {"isuer": "x"}, r"isuer: unknown member; did you mean 'issuer'\?"),
    ("unknown-far", {"zzz": "x"}, "zzz: unknown member; accepted are issuer, audience"),
    ("no-services", {"services": []}, "there is no service; give at least one"),
    ("services-no-list", {"services": "x"}, "services: a list is expected here; accepted is a list of services"),
    ("service-no-members", {"services": ["x"]}, r"services\[0\]: members are expected here"),
    ("no-keys", {"jwks_url": None}, "nothing verifies the tokens; give jwks_url, or keys"),
    ("jwks-url", {"jwks_url": "ftp://x/y"}, "jwks_url: 'ftp://x/y' is not accepted; accepted is a URL"),
    ("jwks-plain", {"jwks_url": "http://iam:8000/keys"}, "a URL that begins with https://, or http:// on the loopback"),
    ("jwks-look-alike", {"jwks_url": "http://localhost.evil.com/keys"}, "is not accepted"),
    ("hmac-key", {"hmac_key": "s3cr3t" * 20}, "hmac_key: this text is not accepted; accepted is env:NAME"),
    (
        "hmac-key-of-one",
        {"services": [service(hmac_key="s3cr3t" * 20)]},
        r"services\[0\]\.hmac_key: this text is not accepted; accepted is env:NAME",
    ),
    ("listen", {"listen": "localhost:80"}, "listen: 'localhost:80' is not accepted; accepted is an address and a port"),
    ("listen-port", {"listen": "0.0.0.0:70000"}, "listen: .* is not accepted"),
    ("hops", {"trusted_hops": -1}, "trusted_hops: -1 is not accepted; accepted is a whole number from 0 to 10"),
    ("hops-flag", {"trusted_hops": True}, "trusted_hops: True is not accepted"),
    ("name", {"services": [service(name="Strategy")]}, r"services\[0\]\.name: 'Strategy' is not accepted"),
    ("name-missing", {"services": [service(name=None)]}, r"services\[0\]: 'name' is missing"),
    ("url-path", {"services": [service(url="http://x/y")]}, "url: 'http://x/y' is not accepted; .* without a path"),
    ("url-user", {"services": [service(url="http://u:p@x")]}, "url: 'http://u:p@x' is not accepted"),
    ("url-port", {"services": [service(url="http://x:65536")]}, "url: 'http://x:65536' is not accepted"),
    ("paths-text", {"services": [service(paths="/a")]}, r"services\[0\]\.paths: a list is expected"),
    ("path-relative", {"services": [service(paths=["a"])]}, r"paths\[0\]: 'a' is not accepted; accepted is a path"),
    ("path-slash", {"services": [service(paths=["/a/"])]}, "'/a/' is not accepted; .* without / at its end"),
    ("path-dots", {"services": [service(paths=["/a/../b"])]}, "'/a/../b' is not accepted"),
    ("path-wild", {"services": [service(paths=["/a/*"])]}, r"'/a/\*' is not accepted"),
    ("path-pattern", {"services": [service(paths=["/a(b)"])]}, "is not accepted"),
    ("path-number", {"services": [service(paths=[7])]}, "7 is not text; put it in quotes"),
    ("public-all", {"services": [service(public_paths=["/*"])]}, r"'/\*' is not accepted; .* such as /docs"),
    ("no-paths", {"services": [service(paths=None)]}, "neither paths nor public_paths"),
    ("twice", {"services": [service(), service(name="other")]}, r"\[1\]\.paths\[0\]: .* stands in this file twice"),
    ("same-name", {"services": [service(), service(paths=["/b"])]}, "is the name of another service too"),
    (
        "hidden",
        {"services": [service(), service(name="open", paths=None, public_paths=["/api/*"])]},
        r"services\[0\]\.paths\[0\]: .* lies inside of the public path '/api/\*', so nobody would need a token",
    ),
    ("mtls-http", {"services": [service(mtls={"certificate_id": "x" * 36})]}, "is not accepted"),
    (
        "mtls-plain",
        {"services": [service(mtls={"certificate_id": "5c2e1d0a-0000-4000-8000-000000000001"})]},
        "a client certificate needs a url that begins with https://",
    ),
    ("mtls-half", {"services": [service(url="https://x", mtls={"key": "/k"})]}, "certificate and key belong together"),
    ("timeout", {"services": [service(timeout_seconds="60")]}, "timeout_seconds: '60' is not accepted"),
    ("key-algorithm", {"keys": [key(algorithm="HS256")]}, "'HS256' is not accepted; accepted is ES256, RS256 or EdDSA"),
    ("key-kid", {"keys": [key(kid=7)]}, "7 is not text; put it in quotes"),
    ("key-twice", {"keys": [key(), key()]}, r"keys\[1\]\.kid: 'k1' is the kid of another key too"),
    ("key-text", {"keys": [key(pem="abc")]}, r"keys\[0\]\.pem: this is not a public key in PEM"),
    ("key-other", {"keys": [key(algorithm="EdDSA")]}, "the public key is not one for EdDSA"),
    (
        "key-private",
        {"keys": [key(pem=ECKey.generate_key("P-256").as_pem(private=True).decode())]},
        "this is a private key; only the IAM service may have it",
    ),
    ("key-curve", {"keys": [key(pem=ECKey.generate_key("P-384").as_pem(private=False).decode())]}, "not one for ES256"),
    ("key-file", {"keys": [{"kid": "k", "algorithm": "ES256", "pem_file": "no.pem"}]}, r"no\.pem cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_mistake(write: Write, changes: dict[str, Any], said: str) -> None:
    """A mistake is one error that names the file, the line, the place, and what would be accepted."""
    with pytest.raises(GatewayFileError, match=rf"^\S+gateway\.yaml:1: .*{said}") as caught:
        read_gateway(write(**changes))

    assert "\n" not in str(caught.value)


def test_line(tmp_path: Path) -> None:
    """An error in YAML names the line on which the value stands."""
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD.replace("[/api/v1/strategies]", "[strategies]"))

    with pytest.raises(GatewayFileError, match=r"gateway\.yaml:7: services\[0\]\.paths\[0\]: 'strategies'"):
        read_gateway(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "the file is not UTF-8 text"),
        (b"a: [", "this is not YAML"),
        (b"a: !!python/object:os.system {}", "a: unknown member"),
        (b"x", "members are expected"),
        (b"", "members are expected"),
        (b"issuer: a\nissuer: b", ":2: 'issuer' stands here twice"),
        (b"[" * 500, "this is not YAML|nests too deeply"),
        (b" " * 4_000_001, "larger than 4000000 bytes"),
    ],
    ids=["latin", "broken", "object", "scalar", "empty", "twice", "deep", "large"],
)
def test_file_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is no list of services at all is one error too, and nothing in it is run."""
    file = tmp_path / "gateway.yaml"
    file.write_bytes(content)

    with pytest.raises(GatewayFileError, match=said):
        read_gateway(file)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is an error with its name."""
    with pytest.raises(GatewayFileError, match=r"nowhere\.yaml: the file cannot be read: No such file"):
        read_gateway(tmp_path / "nowhere.yaml")


def test_pem_file(write: Write, tmp_path: Path) -> None:
    """A key may stand in a file beside the list."""
    pem = ECKey.generate_key("P-256").as_pem(private=False).decode()
    (tmp_path / "k1.pem").write_text(pem)
    gateway = read_gateway(write(keys=[{"kid": "k1", "algorithm": "ES256", "pem_file": "k1.pem"}]))

    assert gateway.keys[0].pem == pem


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ECKey.generate_key("P-256")),
        ("EdDSA", OKPKey.generate_key("Ed25519")),
        ("RS256", RSAKey.generate_key(2048)),
        ("RS256", RSAKey.generate_key(3072)),
    ],
    ids=["ES256", "EdDSA", "RS256", "RS256-3072"],
)
def test_pem_to_jwk(algorithm: str, key: Any) -> None:
    """A public key in PEM becomes the JWK of the library that signs."""
    expected = {name: value for name, value in key.as_dict(private=False).items() if name != "kid"}

    assert to_jwk(key.as_pem(private=False).decode(), algorithm) == expected


@pytest.mark.parametrize("size", [1, 20, 50, 90])
def test_damaged_pem(size: int) -> None:
    """A key that is cut off is an error and not a shorter key."""
    lines = ECKey.generate_key("P-256").as_pem(private=False).decode().splitlines()
    body = "".join(lines[1:-1])[: size // 4 * 4]
    pem = "\n".join([lines[0], body, lines[-1]])

    with pytest.raises(ValueError, match="public key"):
        to_jwk(pem, "ES256")


def test_json_is_accepted(write: Write) -> None:
    """The list may be JSON."""
    file = write()

    assert json.loads(file.read_text())["issuer"] == read_gateway(file).issuer
