"""The API document holds for whatever is sent: no undocumented status, no undocumented shape, no failure of ours."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import checks

from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

SOURCE = """
from mysingle.core import ServiceType, create_fastapi_app, create_service_config
app = create_fastapi_app(create_service_config("iam-service", ServiceType.IAM_SERVICE))
"""
ROOT = ("root@example.com", "correct horse battery 1")
EXAMPLES = 8
CHECKS = [checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance]
CHECKS += [checks.response_schema_conformance]


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: EmbeddedMongo, redis_server: EmbeddedRedis
) -> Iterator[str]:
    """Give the address of an IAM service in a process of its own."""
    folder = tmp_path_factory.mktemp("iam")
    (folder / "main.py").write_text(SOURCE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "ENVIRONMENT": "testing",
        "LOG_FILE": str(folder / "service.log"),
        "MONGODB_URL": mongo_server.url,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_server.port),
        "AUTH_SECRET_KEY": "0123456789abcdef" * 4,
        "AUTH_SUPERUSER_EMAIL": ROOT[0],
        "AUTH_SUPERUSER_PASSWORD": ROOT[1],
        "IAM_ISSUER": "https://iam.example.com",
        "PATH": "",
    }
    command = [sys.executable, "-c", "from mysingle.cli import main; main()", "run", "main:app", "--port", str(port)]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        yield _when_ready(f"http://127.0.0.1:{port}", process, folder)
    finally:
        process.terminate()
        process.wait(30)


def _when_ready(address: str, process: "subprocess.Popen[bytes]", folder: Path) -> str:
    for _ in range(1000):
        try:
            if httpx.get(f"{address}/ready", trust_env=False).status_code == 200:
                return address
        except httpx.TransportError:
            assert process.poll() is None, (folder / "output.txt").read_text()
        time.sleep(0.03)
    raise AssertionError((folder / "output.txt").read_text())


@pytest.fixture(scope="module")
def bearer(url: str) -> dict[str, str]:
    form = {"username": ROOT[0], "password": ROOT[1]}
    answer = httpx.post(f"{url}/api/v1/auth/login", data=form, trust_env=False)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def _operations(url: str) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found: list[Any] = list(schema.get_all_operations())
    return [item.ok() for item in found if item.ok().path.startswith(("/api", "/.well"))]


@pytest.mark.parametrize("as_root", [False, True], ids=["nobody", "superuser"])
def test_document_holds(url: str, bearer: dict[str, str], as_root: bool) -> None:
    """Whatever fits the document, or nearly, is answered as the document says."""
    headers = bearer if as_root else {}
    chosen = hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    failures: dict[str, str] = {}
    for operation in _operations(url):
        if as_root and operation.path in ("/api/v1/auth/logout", "/api/v1/auth/change-password"):
            continue  # the session of this test would end

        @chosen
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS)

        try:
            run()
        except Exception as error:
            failures[operation.label] = str(error)[:2000]

    assert failures == {}, json.dumps(failures, indent=1)
