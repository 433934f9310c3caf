"""A whole IAM service in this process, on real servers for MongoDB, Redis and mail."""

import asyncio
import email.policy
import re
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from fastapi import FastAPI
from pymongo import AsyncMongoClient

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.auth.iam._users import account_key
from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.core.logging import setup_logging
from mysingle.database import get_redis_manager, reset_redis_manager
from mysingle.embedded import EmbeddedMongo, EmbeddedRedis

SECRET = "0123456789abcdef" * 4
PASSWORD = "correct horse battery 9"
ORIGIN = "http://test"
API = "/api/v1"
WAIT_SECONDS = 20.0


class Outbox:
    """What a real SMTP server has taken."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = BytesParser(policy=email.policy.default).parsebytes(envelope.original_content)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"].addresses[0].addr_spec.lower() == address.lower()]

    async def wait(self, address: str, subject: str = "", count: int = 1) -> EmailMessage:
        """Return the last mail to an address whose subject holds some words, once there are `count` of them."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = [mail for mail in self.to(address) if subject.lower() in mail["Subject"].lower()]
                if len(found) >= count:
                    return found[-1]
                await asyncio.sleep(0.01)

    async def token(self, address: str, subject: str = "", count: int = 1) -> str:
        body = (await self.wait(address, subject, count)).get_body(("plain",))
        assert body is not None
        found = re.search(r"[?&]token=([\w.~%-]+)", body.get_content())
        assert found is not None
        return found[1]


@dataclass
class Account:
    """Somebody with an account, signed in or not."""

    email: str
    password: str = PASSWORD
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def id(self) -> str:
        return str(self.tokens["user_info"]["id"])


class Service:
    """A running IAM service, with the short ways that tests take."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, outbox: Outbox, database: str) -> None:
        self.app = app
        self.http = http
        self.outbox = outbox
        self.iam = app.state.iam
        self.database_name = database
        self._count = 0

    async def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, path if path.startswith("/.") else f"{API}{path}", **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self("POST", path, json=json, **options)

    def address(self) -> str:
        self._count += 1
        return f"person{self._count}-{uuid.uuid4().hex[:8]}@example.com"

    async def register(self, address: str | None = None, **more: Any) -> Account:
        """Open an account through the routes; its address is not verified."""
        account = Account(address or self.address())
        answer = await self.post("/auth/register", {"email": account.email, "password": account.password, **more})
        assert answer.status_code == 201, answer.text
        return account

    async def member(self, address: str | None = None, **rights: Any) -> Account:
        """Open and verify an account, give it rights, and sign in."""
        account = await self.register(address)
        token = await self.outbox.token(account.email, "confirm")
        assert (await self.post("/auth/verify", {"token": token})).status_code == 200
        if rights:
            user = await self.iam.tools.users.by_email_key(account_key(account.email))
            await self.iam.tools.change(str(user.id), **rights)
        return await self.sign_in(account)

    async def admin(self) -> Account:
        return await self.member(is_superuser=True)

    async def login(self, account: Account, **options: Any) -> httpx.Response:
        form = {"username": account.email, "password": account.password}
        return await self("POST", "/auth/login", data=form, **options)

    async def sign_in(self, account: Account) -> Account:
        answer = await self.login(account)
        assert answer.status_code == 200, answer.text
        account.tokens = answer.json()
        return account

    async def as_(self, account: Account, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**account.bearer, **options.pop("headers", {})}
        return await self(method, path, headers=headers, **options)

    async def settle(self) -> None:
        await self.iam.tools.background.settle(WAIT_SECONDS)

    @asynccontextmanager
    async def browser(self, account: Account) -> AsyncIterator["Browser"]:
        """Sign in with cookies, in a browser of its own."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        base = "https://test" if self.iam.cookies.is_secure else ORIGIN
        async with httpx.AsyncClient(transport=transport, base_url=base) as http:
            form = {"username": account.email, "password": account.password}
            answer = await http.post(f"{API}/auth/login", params={"transport": "cookie"}, data=form)
            assert answer.status_code == 200, answer.text
            yield Browser(http, answer, base)


@dataclass
class Browser:
    """A client with cookies; `page` are the headers that a page of ours sends."""

    http: httpx.AsyncClient
    login: httpx.Response
    origin: str

    @property
    def csrf(self) -> str:
        return self.http.cookies["__Host-csrf" if self.origin.startswith("https:") else "csrf"]

    @property
    def page(self) -> dict[str, str]:
        return {"Origin": self.origin, "X-CSRF-Token": self.csrf, "Sec-Fetch-Site": "same-origin"}

    async def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, f"{API}{path}", **options)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def smtp_server() -> Iterator[tuple[Controller, Outbox]]:
    outbox = Outbox()
    controller = Controller(outbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller, outbox
    controller.stop()


@pytest.fixture
def outbox(smtp_server: tuple[Controller, Outbox]) -> Outbox:
    smtp_server[1].mails.clear()
    return smtp_server[1]


@pytest.fixture
def configure(
    tmp_path: Path,
    mongo_server: EmbeddedMongo,
    redis_server: EmbeddedRedis,
    smtp_server: tuple[Controller, Outbox],
) -> Iterator[Callable[..., CommonSettings]]:
    """Give a function that makes the process's settings: testing rules, real servers, a log of the test's own."""

    def apply(**values: Any) -> CommonSettings:
        chosen = {
            "ENVIRONMENT": "testing",
            "LOG_FILE": tmp_path / "service.log",
            "MONGODB_URL": mongo_server.url,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": redis_server.port,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": smtp_server[0].port,
            "SMTP_SECURITY": "none",
            "MAIL_FROM_ADDRESS": "no-reply@example.com",
            "AUTH_SECRET_KEY": SECRET,
            "PUBLIC_BASE_URL": ORIGIN,
            "IAM_ISSUER": "https://iam.example.com",
            "_env_file": None,
        } | values
        settings = CommonSettings(**{name: value for name, value in chosen.items() if value is not ...})
        set_settings(settings)
        return settings

    yield apply
    reset_redis_manager()
    reset_settings()
    setup_logging("tests", "CRITICAL")


class Start:
    """Starts IAM services in databases of their own."""

    def __init__(self, configure: Callable[..., CommonSettings], outbox: Outbox) -> None:
        self._configure = configure
        self._outbox = outbox

    @asynccontextmanager
    async def __call__(self, *, database: str | None = None, **values: Any) -> AsyncIterator[Service]:
        settings = self._configure(**values)
        name = database or f"iam_{uuid.uuid4().hex}"
        app = create_fastapi_app(create_service_config("iam-service", ServiceType.IAM_SERVICE, database_name=name))
        try:
            async with app.router.lifespan_context(app), self.client(app) as http:
                yield Service(app, http, self._outbox, name)
        finally:
            if database is None:
                mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(settings.mongodb_url)
                async with mongo:
                    await mongo.drop_database(name)

    def client(self, app: FastAPI) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN)


@pytest.fixture
async def start(configure: Callable[..., CommonSettings], outbox: Outbox) -> Start:
    """Run IAM services in databases of their own; the settings are the arguments."""
    return Start(configure, outbox)


@pytest.fixture
async def service(start: Start) -> AsyncIterator[Service]:
    """Give an IAM service with empty databases."""
    async with start() as service:
        manager = get_redis_manager()
        for number in (0, 2, 3):
            await (await manager.client(number)).flushdb()
        yield service
