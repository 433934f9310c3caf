"""What the command renders, and that Envoy takes it, also with client certificates."""

import asyncio
import datetime
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mysingle._kernel.propagation import IDENTITY_HEADERS
from mysingle.embedded import EmbeddedEnvoy
from mysingle.tooling.gateway import GatewayFileError, gateway_config, lint, render

KEY = "test-gateway-key-0123456789abcdef"
CERTIFICATE_ID = "5c2e1d0a-0000-4000-8000-000000000001"

Write = Callable[..., Path]


def mysingle(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from mysingle.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def file(write: Write, iam: Any) -> Path:
    return write(keys=[{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}])


def test_kong(file: Path, iam: Any) -> None:
    """Kong gets the reference configuration: verified claims, keys by kid, no tokens in URLs, correlation."""
    config = gateway_config(file, "kong")
    service, public = config["services"]
    jwt = service["plugins"][0]["config"]

    assert [plugin["name"] for plugin in service["plugins"]] == ["jwt", "post-function"]
    assert [plugin["name"] for plugin in public["plugins"]] == ["post-function"]
    assert [plugin["name"] for plugin in config["plugins"]] == ["correlation-id", "post-function"]
    assert jwt == {
        "key_claim_name": "kid",
        "claims_to_verify": ["exp", "nbf"],
        "maximum_expiration": 3600,
        "header_names": ["authorization"],
        "uri_param_names": [],
        "cookie_names": [],
        "run_on_preflight": True,
    }
    assert (service["name"], public["name"]) == ("strategy-service", "strategy-service-public")
    assert [route["paths"] for route in service["routes"]] == [["~/api/v1/strategies(?:/|$)"]]
    assert [route["paths"] for route in public["routes"]] == [["~/api/v1/open(?:/|$)"], ["~/api/v1/ping$"]]
    assert config["consumers"] == [
        {
            "username": "mysingle-iam",
            "jwt_secrets": [
                {"key": "2026-11", "algorithm": "ES256", "rsa_public_key": iam.pem, "secret": "unused"},
            ],
        }
    ]


def test_kong_file_is_clean(file: Path, tmp_path: Path) -> None:
    """The linter finds nothing in what we render, as YAML with its comments."""
    rendered = tmp_path / "kong.yaml"
    rendered.write_text(render(file, "kong"))

    assert lint(rendered) == ()


@pytest.mark.parametrize(
    ("hmac_key", "reference"),
    [
        ("env:GATEWAY_HMAC_KEY", "{vault://env/gateway-hmac-key}"),
        ("{vault://aws/gateway/key}", "{vault://aws/gateway/key}"),
    ],
)
def test_key_is_referred_to(write: Write, iam: Any, hmac_key: str, reference: str) -> None:
    """Kong reads the key from its vault; the rendered file says where, and never what."""
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    text = render(write(keys=keys, hmac_key=hmac_key), "kong")

    assert f'kong.vault.get("{reference}")' in text


@pytest.mark.parametrize("target", ["kong", "envoy"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_shared_key_is_told(write: Write, iam: Any, target: str, is_shared: bool, tmp_path: Path) -> None:
    """The rendered file says which key signs for whom, and warns of one that several services have."""
    own = {} if is_shared else {"hmac_key": "env:ORDER_HMAC_KEY"}
    services = [
        {"name": "strategy-service", "url": "http://strategy:8000", "paths": ["/strategies"]},
        {"name": "order-service", "url": "http://order:8000", "paths": ["/orders"], **own},
        {"name": "iam-service", "url": "http://iam:8000", "public_paths": ["/auth/*"]},
    ]
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    text = render(write(keys=keys, services=services), target)
    notes = "".join(line for line in text.splitlines() if line.startswith("#"))
    (tmp_path / "kong.yaml").write_text(text)

    assert ("strategy-service, order-service share the key env:GATEWAY_HMAC_KEY" in notes) == is_shared
    assert ("signs for order-service" in notes) == (not is_shared)
    assert "iam-service" not in notes
    assert target == "envoy" or lint(tmp_path / "kong.yaml") == ()


def test_names_come_from_one_place(file: Path) -> None:
    """The signed headers of the programs are those of the package, in their order."""
    table = ", ".join(f'"{name}"' for name in IDENTITY_HEADERS)

    for target in ("kong", "envoy"):
        program = " ".join(render(file, target).split("local SIGNED = {")[1].split("}")[0].split())
        assert program.rstrip(",") == table


@pytest.mark.parametrize(
    ("target", "changes", "said"),
    [
        ("kong", {}, "Kong does not fetch keys; give `keys` or keys_file, or --keys"),
        (
            "envoy",
            {"hmac_key": "{vault://aws/gateway/key}"},
            "strategy-service from a variable; hmac_key must be env:NAME",
        ),
        (
            "envoy",
            {"services": [{"name": "a", "url": "http://a", "paths": ["/a"], "hmac_key": "{vault://aws/a}"}]},
            "Envoy reads the key for a from a variable",
        ),
        ("envoy", {"mtls": {"certificate_id": CERTIFICATE_ID}}, "mtls of orders has no certificate and key"),
        ("kong", {"mtls": {"certificate": "/c", "key": "/k"}}, "Kong does not fetch keys|no certificate_id"),
    ],
    ids=["kong-keys", "envoy-vault", "envoy-vault-of-one", "envoy-mtls", "kong-mtls"],
)
def test_target_lacks_something(write: Write, target: str, changes: dict[str, Any], said: str) -> None:
    """What one gateway needs and the list does not say is an error that says what to add."""
    mtls = changes.pop("mtls", None)
    if mtls:
        changes["services"] = [{"name": "orders", "url": "https://orders", "paths": ["/orders"], "mtls": mtls}]

    with pytest.raises(GatewayFileError, match=said):
        render(write(**changes), target)


def test_mtls_for_kong(write: Write, iam: Any) -> None:
    """With an id of a certificate Kong shows it to the service, and verifies the service's own."""
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    mtls = {"certificate_id": CERTIFICATE_ID}
    service = {"name": "orders", "url": "https://orders:8443", "paths": ["/"], "mtls": mtls}
    (made,) = gateway_config(write(keys=keys, services=[service]), "kong")["services"]

    assert (made["client_certificate"], made["tls_verify"]) == ({"id": CERTIFICATE_ID}, True)
    assert made["routes"][0]["paths"] == ["/"]


def test_command_line(file: Path, tmp_path: Path) -> None:
    """Without -o the text goes to standard output, with it to the file, as JSON when its name says so."""
    output, as_json = tmp_path / "kong.yaml", tmp_path / "envoy.json"
    shown = mysingle("gateway", "render", "--target", "kong", file)
    written = mysingle("gateway", "render", "--target", "kong", file, "-o", output)
    other = mysingle("gateway", "render", "--target", "envoy", file, "-o", as_json)

    assert (shown.returncode, written.returncode, other.returncode) == (0, 0, 0)
    assert shown.stdout == output.read_text() == render(file, "kong")
    assert yaml.safe_load(shown.stdout) == gateway_config(file, "kong")
    assert json.loads(as_json.read_text()) == gateway_config(file, "envoy")
    assert written.stderr == f"{output} is written\n"


def test_dry_run(file: Path, tmp_path: Path) -> None:
    """--dry-run shows what would change, and changes nothing."""
    output = tmp_path / "kong.yaml"
    first = mysingle("gateway", "render", "--target", "kong", file, "-o", output, "--dry-run")
    assert not output.exists()
    output.write_text(render(file, "kong").replace("retries: 0", "retries: 5"))
    second = mysingle("gateway", "render", "--target", "kong", file, "-o", output, "--dry-run")
    output.write_text(render(file, "kong"))
    third = mysingle("gateway", "render", "--target", "kong", file, "-o", output, "--dry-run")

    assert "+_format_version: '3.0'\n" in first.stdout
    assert {"-    retries: 5", "+    retries: 0"} <= set(second.stdout.splitlines())
    assert third.stdout == f"{output} would not change\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "gateway.yaml"],
        ["render", "gateway.yaml", "--target", "nginx"],
        ["render", "nowhere.yaml", "--target", "kong"],
        ["lint", "nowhere.yaml"],
        ["lint"],
        [],
        ["other"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    """Wrong usage, or a file that is not there, is exit code 2, without a traceback."""
    done = mysingle("gateway", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_output_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    """An output that cannot be written is one line and exit code 2."""
    done = mysingle("gateway", "render", "--target", "kong", file, "-o", tmp_path / "no" / "kong.yaml")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


class Authority:
    """Makes certificates of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        self.file = self.sign("authority", self.key, self.name, is_authority=True)[0]

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for 127.0.0.1 and of its key."""
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        return self.sign(name, ec.generate_private_key(ec.SECP256R1()), subject)

    def sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, subject: x509.Name, *, is_authority: bool = False
    ) -> tuple[Path, Path]:
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
        return paths


@contextmanager
def asking_for_certificates(authority: Authority) -> Iterator[str]:
    """Serve over TLS to clients with a certificate of the authority only; give the URL."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    certificate, key = authority.issue("server")
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        ws="none",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ca_certs=str(authority.file),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize(
    ("client", "ca", "status"),
    [("client", "own", 200), (None, "own", 503), ("client", "foreign", 503)],
    ids=["both-known", "client-unknown", "service-unknown"],
)
def test_mtls_with_envoy(
    write: Write, tmp_path_factory: pytest.TempPathFactory, client: str | None, ca: str, status: int
) -> None:
    """Envoy shows its certificate to the service, and believes a service only with one of the authority."""
    authority = Authority(tmp_path_factory.mktemp("own"))
    trusted = authority if ca == "own" else Authority(tmp_path_factory.mktemp("foreign"))
    pair = authority.issue("client") if client else None
    mtls = {"mtls": {"certificate": str(pair[0]), "key": str(pair[1])}} if pair else {}
    with asking_for_certificates(authority) as url:
        service = {"name": "orders", "url": url, "public_paths": ["/hello"], **mtls}
        file = write(services=[service], ca_file=str(trusted.file), jwks_url="http://127.0.0.1:1/keys")
        with EmbeddedEnvoy(gateway_config(file, "envoy"), environ={"GATEWAY_HMAC_KEY": KEY}) as envoy:
            assert httpx.get(f"{envoy.url}/hello").status_code == status
