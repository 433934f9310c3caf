"""A service in production, which believes nothing but the gateway's signature, behind the real Envoy."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mysingle.embedded import EmbeddedEnvoy
from mysingle.tooling.gateway import gateway_config

KEY = "journey-gateway-key-0123456789abcdef"
SERVICE = """
from fastapi import Request
from mysingle.auth import get_current_active_verified_user, get_current_user_optional
from mysingle.core import create_fastapi_app, create_service_config

app = create_fastapi_app(create_service_config("strategy-service", public_paths=["/api/v1/open"]))

@app.api_route("/api/v1/strategies", methods=["GET", "POST"])
async def mine(request: Request):
    user = get_current_active_verified_user(request)
    return {"id": user.id, "email": user.email, "superuser": user.is_superuser, "roles": sorted(user.roles)}

@app.get("/api/v1/open")
async def open_to_all(request: Request):
    user = get_current_user_optional(request)
    return {"id": user and user.id}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the service in a process of its own; give its URL."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "service.py").write_text(SERVICE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"ENVIRONMENT": "production", "GATEWAY_TRUST": "hmac", "GATEWAY_HMAC_KEYS": KEY, "DRAIN_DELAY_SECONDS": "0"}
    command = [sys.executable, "-c", "from mysingle.cli import main; main()", "run", "service:app", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, folder / "log")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def gateway(service: str, iam: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEnvoy]:
    file = tmp_path_factory.mktemp("gateway") / "gateway.yaml"
    listed = {
        "name": "strategy-service",
        "url": service,
        "paths": ["/api/v1/strategies"],
        "public_paths": ["/api/v1/open"],
    }
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    file.write_text(json.dumps({"issuer": iam.issuer, "keys": keys, "services": [listed]}))
    with EmbeddedEnvoy(gateway_config(file, "envoy"), environ={"GATEWAY_HMAC_KEY": KEY}) as envoy:
        yield envoy


SPOOFED = [("X-User-Id", "b0b000000000000000000002"), ("X-User-Superuser", "true"), ("X_User_Roles", "admin")]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("email", ["alice@example.com", "zoë@example.com"])
def test_caller_is_known(gateway: EmbeddedEnvoy, iam: Any, method: str, email: str) -> None:
    """Through the gateway the service knows the caller from the token, whatever else the client says."""
    headers = [("Authorization", f"Bearer {iam.token(email=email)}"), *SPOOFED]
    answer = httpx.request(method, f"{gateway.url}/api/v1/strategies", headers=headers)

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "id": "a11ce0000000000000000001",
            "email": email if email.isascii() else None,
            "superuser": False,
            "roles": ["trader", "user"],
        },
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"active": False}, "USER_INACTIVE"), ({"email_verified": False}, "EMAIL_NOT_VERIFIED")],
)
def test_rights_come_from_the_token(gateway: EmbeddedEnvoy, iam: Any, changes: dict[str, Any], code: str) -> None:
    """An account that is not active or not verified is refused by the service."""
    headers = {"Authorization": f"Bearer {iam.token(**changes)}"}
    answer = httpx.get(f"{gateway.url}/api/v1/strategies", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, code)


def test_public_path_is_anonymous(gateway: EmbeddedEnvoy) -> None:
    """On a public path nobody is known, also with spoofed headers."""
    answer = httpx.get(f"{gateway.url}/api/v1/open", headers=SPOOFED)

    assert (answer.status_code, answer.json()) == (200, {"id": None})


def test_past_the_gateway(service: str, iam: Any) -> None:
    """Who reaches the service directly is nobody, with spoofed headers or with a token."""
    spoofed = httpx.get(f"{service}/api/v1/strategies", headers=SPOOFED[:2])
    token = httpx.get(f"{service}/api/v1/strategies", headers={"Authorization": f"Bearer {iam.token()}"})

    assert (spoofed.status_code, spoofed.json()["code"]) == (401, "GATEWAY_PROOF_MISSING")
    assert token.status_code == 401


def test_many_requests(gateway: EmbeddedEnvoy, iam: Any) -> None:
    """No two signatures of the gateway are taken for the same one, over several connections and workers."""
    headers = {"Authorization": f"Bearer {iam.token()}"}
    with httpx.Client() as one, httpx.Client() as other:
        statuses = [
            client.get(f"{gateway.url}/api/v1/strategies", headers=headers).status_code
            for _ in range(50)
            for client in (one, other)
        ]

    assert statuses == [200] * 100
