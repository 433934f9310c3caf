"""The real IAM service in the process of its tests, with real servers behind it and the mail that it sends."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from mysingle._kernel.settings import CommonSettings, get_settings, set_settings
from mysingle.auth.iam import User
from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.database import get_redis_manager
from mysingle.embedded import EmbeddedStack
from mysingle.testing.app import running
from mysingle.testing.identity import BearerToken
from mysingle.testing.mail import Mailbox, mail_server

__all__ = ["Account", "RunningIam", "SignedIn", "running_iam"]

PASSWORD = "correct horse battery staple 9"  # noqa: S105  # of people who do not exist
_ISSUER = "https://iam.test"
_ORIGIN = "http://test"
_API = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody with an account whose address is verified."""

    id: str
    email: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a login gives; `auth` is for an httpx client of the IAM service, or of a service behind the `jwt` proof."""

    access_token: str
    refresh_token: str
    answer: dict[str, Any]

    @property
    def auth(self) -> BearerToken:
        """Requests as this person."""
        return BearerToken(self.access_token)


class RunningIam:
    """
    A running IAM service.

    Args:
        app: the service.
        client: calls it; nobody is signed in.
        mailbox: every mail that it has sent.
        issuer: the `iss` of its tokens.
    """

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, mailbox: Mailbox, issuer: str) -> None:
        self.app = app
        self.client = client
        self.mailbox = mailbox
        self.issuer = issuer

    async def sign_up(
        self,
        email: str | None = None,
        password: str = PASSWORD,
        *,
        is_superuser: bool = False,
        roles: Iterable[str] = (),
    ) -> Account:
        """Open an account through the routes and verify its address by the mailed link; a new address without one."""
        email = email or f"person-{uuid.uuid4().hex[:12]}@example.com"
        form = {"email": email, "password": password}
        made = _checked(await self.client.post(f"{_API}/auth/register", json=form), 201)
        token = (await self.mailbox.wait(email, "confirm")).token
        _checked(await self.client.post(f"{_API}/auth/verify", json={"token": token}), 200)
        account = Account(id=made["id"], email=email, password=password)
        if is_superuser or roles:
            await self.app.state.iam.tools.change(account.id, is_superuser=is_superuser, roles=list(roles))
        return account

    async def sign_in(self, account: Account | str, password: str = PASSWORD) -> SignedIn:
        """Log in; an account brings its own password, an address needs one."""
        email = account if isinstance(account, str) else account.email
        password = password if isinstance(account, str) else account.password
        form = {"username": email, "password": password}
        answer = _checked(await self.client.post(f"{_API}/auth/login", data=form), 200)
        return SignedIn(access_token=answer["access_token"], refresh_token=answer["refresh_token"], answer=answer)

    async def environment(self, path: Path) -> dict[str, str]:
        """Write the public keys into a file, and return the variables of a service that believes the tokens."""
        keys = _checked(await self.client.get("/.well-known/jwks.json"), 200)
        await asyncio.to_thread(path.write_text, json.dumps(keys), encoding="utf-8")
        return {"IAM_ISSUER": self.issuer, "IAM_PUBLIC_KEYS_FILE": str(path)}


def _checked(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise AssertionError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


@asynccontextmanager
async def running_iam(stack: EmbeddedStack, **settings: Any) -> AsyncIterator[RunningIam]:
    """
    Run an IAM service with a database of its own, which is dropped at the end, and with a mail server.

    `async with running_iam(stack) as iam: await iam.sign_in(await iam.sign_up())`. It has testing rules; the process's
    own settings are back as soon as it runs. Redis begins empty when it is an embedded one.

    Args:
        stack: the servers, started.
        settings: further settings of the service, by name.
    """
    async with mail_server() as mailbox:
        chosen = {**_settings(stack, mailbox), **settings}
        before = get_settings()
        set_settings(CommonSettings(**chosen))
        try:
            config = create_service_config(
                "iam-service", ServiceType.IAM_SERVICE, database_name=f"iam_{uuid.uuid4().hex}"
            )
            app = create_fastapi_app(config)
            async with running(app, base_url=_ORIGIN) as client:
                await _prepare_redis(app.state.iam.settings, is_ours=stack.redis is not None)
                set_settings(before)
                try:
                    yield RunningIam(app, client, mailbox, str(chosen["IAM_ISSUER"]))
                finally:
                    await User.get_pymongo_collection().database.client.drop_database(config.database_name)
        finally:
            set_settings(before)


def _settings(stack: EmbeddedStack, mailbox: Mailbox) -> dict[str, Any]:
    return {
        "_env_file": None,
        "ENVIRONMENT": "testing",
        "AUTH_SECRET_KEY": secrets.token_hex(32),
        "IAM_ISSUER": _ISSUER,
        "MAIL_FROM_ADDRESS": "no-reply@example.com",
        "PUBLIC_BASE_URL": _ORIGIN,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": mailbox.port,
        "SMTP_SECURITY": "none",
        **stack.environment,
    }


async def _prepare_redis(settings: CommonSettings, *, is_ours: bool) -> None:
    """Connect while the settings are there, and forget what an earlier service has counted: it slows logins down."""
    manager = get_redis_manager()
    for number in (settings.REDIS_DB_USER, settings.REDIS_DB_RATE_LIMIT, settings.REDIS_DB_SESSION):
        client = await manager.client(number)
        if is_ours:
            await client.flushdb()
