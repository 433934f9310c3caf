"""The service as a process of its own, as `mysingle run` starts it, with real servers and a mail server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from examples.demo.caller import Caller
from examples.demo.mailbox import Mailbox
from examples.demo.process import Service, free_port

from mysingle.embedded import EmbeddedStack


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox(free_port(0)) as running:
        yield running


@pytest.fixture(scope="session")
def service(mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("iam")
    with EmbeddedStack(None, environ={}) as stack:
        environment = {
            "ENVIRONMENT": "testing",
            "PUBLIC_BASE_URL": "http://localhost",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mailbox.port),
            "SMTP_SECURITY": "none",
            **stack.environment,
        }
        with Service("iam_service", environment, folder / "iam.log", 0) as running:
            running.wait_until_ready()
            yield running


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    with Caller(service.url) as connected:
        yield connected
