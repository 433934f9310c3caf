"""Sign-in with other providers: the real service, a provider in a process of its own, a mail server, a browser."""

import asyncio
import email.policy
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from aiosmtpd.controller import Controller
from fastapi import FastAPI

from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.database import get_redis_manager, init_mongo

PROVIDER = Path(__file__).parents[2] / "oidc" / "provider.py"
CLIENT = {"ID": "client-1", "SECRET": "a secret that the provider has chosen"}
API = "/api/v1"
BASE_URL = "https://iam.example.com"


class Provider:
    """The provider process, and its switches."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._control = httpx.Client(base_url=self.url, trust_env=False)

    def behave(self, **switches: Any) -> None:
        """Set the switches; those that are not named are off."""
        self._control.post("/_control", json=switches).raise_for_status()

    def sign_in_as(self, sub: str = "42", **claims: Any) -> None:
        """Choose who signs in."""
        self.behave(profile={"sub": sub, **claims})

    def calls(self, ending: str) -> list[dict[str, Any]]:
        """Return what was asked at an endpoint since the switches were set."""
        found: list[dict[str, Any]] = self._control.get("/_calls").json()
        return [call for call in found if call["path"].endswith(ending)]

    def close(self) -> None:
        self._control.close()


@pytest.fixture(scope="session")
def provider_process() -> Iterator[Provider]:
    with subprocess.Popen([sys.executable, str(PROVIDER)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        running = Provider(int(process.stdout.readline()))
        yield running
        running.close()
        process.kill()


@pytest.fixture
def provider(provider_process: Provider) -> Provider:
    """Give the provider, which behaves."""
    provider_process.behave()
    return provider_process


class Mailbox:
    """A mail server that keeps what comes."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(BytesParser(policy=email.policy.default).parsebytes(envelope.original_content))
        return "250 OK"

    async def to(self, address: str, subject: str) -> str:
        """Return the text of a mail to an address, as soon as it is there."""
        async with asyncio.timeout(20):
            while True:
                for mail in self.mails:
                    if mail["To"] == address and subject in mail["Subject"]:
                        return str(mail.get_body(("plain",)).get_content())
                await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox, port
    controller.stop()


@pytest.fixture
def mailbox(mail_server: tuple[Mailbox, int]) -> Mailbox:
    mail_server[0].mails.clear()
    return mail_server[0]


class Browser:
    """A person's browser: it keeps cookies, and goes to the provider when it is sent there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def authorize(self, name: str, *, link: bool = False, **options: Any) -> httpx.Response:
        return await self.client.get(f"{API}/oauth2/{name}/{'link' if link else 'authorize'}", **options)

    async def visit(self, authorization_url: str) -> dict[str, str]:
        """Go to the provider, and return what it sends back with."""
        async with httpx.AsyncClient(trust_env=False) as outside:
            answer = await outside.get(authorization_url)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def come_back(self, name: str, back: dict[str, str], **options: Any) -> httpx.Response:
        return await self.client.get(f"{API}/oauth2/{name}/callback", params=back, **options)

    async def sign_in(self, name: str = "oidc", **options: Any) -> httpx.Response:
        """Do all of it."""
        started = await self.authorize(name, **options)
        assert started.status_code == 200, started.text
        return await self.come_back(name, await self.visit(started.json()["authorization_url"]))

    async def log_in(self, address: str, password: str) -> httpx.Response:
        body = {"email": address, "password": password}
        return await self.client.post(f"{API}/auth/login", json=body)

    def as_user(self, access_token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token}"}


@dataclass(frozen=True)
class Service:
    """The running service."""

    app: FastAPI
    browser: Browser
    new_browser: Callable[[], Browser]
    mailbox: Mailbox

    async def register(self, address: str, password: str = "Correct-Horse-9-Battery", *, verify: bool = True) -> str:
        """Open an account the usual way; return the text of the mail that asks to verify it."""
        body = {"email": address, "password": password}
        answer = await self.browser.client.post(f"{API}/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        text = await self.mailbox.to(address, "Confirm your address")
        if verify:
            assert (await self.verify(text)).status_code == 200
        return text

    async def verify(self, text: str) -> httpx.Response:
        """Follow the link of a mail."""
        found = re.search(r"token=(\S+)", text)
        assert found is not None
        return await self.browser.client.post(f"{API}/auth/verify", json={"token": unquote(found[1])})


class StartService(Protocol):
    """Starts the service; the values are settings."""

    def __call__(self, **values: Any) -> Awaitable[Service]: ...


@pytest.fixture
async def start_service(
    configure: Callable[..., Any], provider: Provider, mail_server: tuple[Mailbox, int], mailbox: Mailbox
) -> AsyncIterator[StartService]:
    """Give a function that starts the service with every provider on, in an empty database."""
    async with AsyncExitStack() as stack:

        async def start(**values: Any) -> Service:
            chosen = {
                "PUBLIC_BASE_URL": BASE_URL,
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": mail_server[1],
                "SMTP_SECURITY": "none",
                "OAUTH_TIMEOUT_SECONDS": 10.0,
                "GOOGLE_OAUTH_ISSUER": f"{provider.url}/google",
                "KAKAO_OAUTH_ISSUER": f"{provider.url}/kakao",
                "NAVER_OAUTH_URL": provider.url,
                "NAVER_OAUTH_API_URL": provider.url,
                "OIDC_ISSUER": f"{provider.url}/oidc",
                "OIDC_CLIENT_ID": CLIENT["ID"],
                "OIDC_CLIENT_SECRET": CLIENT["SECRET"],
            }
            for name in ("GOOGLE", "KAKAO", "NAVER"):
                chosen |= {f"{name}_OAUTH_CLIENT_{part}": value for part, value in CLIENT.items()}
            settings = configure(**(chosen | values))
            database = f"oauth_{uuid.uuid4().hex}"
            await (await get_redis_manager().client(settings.REDIS_DB_RATE_LIMIT)).flushall()
            stack.push_async_callback(_drop, database, settings)
            config = create_service_config("iam-service", ServiceType.IAM_SERVICE, database_name=database)
            app = create_fastapi_app(config)
            await stack.enter_async_context(app.router.lifespan_context(app))

            def new_browser() -> Browser:
                transport = httpx.ASGITransport(app, raise_app_exceptions=False)
                client = httpx.AsyncClient(transport=transport, base_url=BASE_URL)
                stack.push_async_callback(client.aclose)
                return Browser(client)

            return Service(app, new_browser(), new_browser, mailbox)

        yield start
    await get_redis_manager().close()


async def _drop(name: str, settings: Any) -> None:
    database = await init_mongo([], database_name=name, settings=settings)
    await database.client.drop_database(name)
    await database.client.close()


@pytest.fixture
async def service(start_service: StartService) -> Service:
    return await start_service()
