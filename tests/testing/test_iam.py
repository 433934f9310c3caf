import asyncio
import smtplib
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.settings import get_settings
from mysingle.embedded import EmbeddedStack
from mysingle.testing import mail_server, running, running_iam


@pytest.fixture(autouse=True)
def _quiet(make_app: Any) -> None:
    """End each test with the settings and the log that it began with."""


async def test_from_account_to_service(stack: EmbeddedStack, make_app: Any, tmp_path: Path) -> None:
    """Somebody signs up, verifies the address, logs in, and is known to another service by the token."""
    async with running_iam(stack) as iam:
        account = await iam.sign_up("trader@example.com", roles=["trader"])
        signed_in = await iam.sign_in(account)
        me = (await iam.client.get("/api/v1/users/me", auth=signed_in.auth)).json()
        app = make_app(ENVIRONMENT="production", **await iam.environment(tmp_path / "jwks.json"))
        async with running(app, auth=signed_in.auth) as client:
            seen = (await client.get("/me")).json()

    assert (me["id"], me["email"], me["is_verified"]) == (account.id, "trader@example.com", True)
    assert (seen["id"], seen["roles"], seen["proof"]) == (account.id, ["trader"], "jwt")


async def test_mails(stack: EmbeddedStack) -> None:
    """Mails arrive in the mailbox, and their links work."""
    async with running_iam(stack) as iam:
        account = await iam.sign_up()
        await iam.client.post("/api/v1/auth/forgot-password", json={"email": account.email})
        token = (await iam.mailbox.wait(account.email, "new password")).token
        form = {"token": token, "password": "another long enough one 7"}
        done = await iam.client.post("/api/v1/auth/reset-password", json=form)
        signed_in = await iam.sign_in(account.email, "another long enough one 7")

    assert done.status_code == 204
    assert signed_in.refresh_token.startswith("rt1.")


async def test_rights(stack: EmbeddedStack) -> None:
    """A superuser can be made, and somebody else is none."""
    async with running_iam(stack) as iam:
        admin = await iam.sign_in(await iam.sign_up(is_superuser=True))
        person = await iam.sign_in(await iam.sign_up())
        statuses = [
            (await iam.client.get("/api/v1/users", auth=signed_in.auth)).status_code for signed_in in (admin, person)
        ]

    assert statuses == [200, 403]


async def test_one_after_the_other(stack: EmbeddedStack) -> None:
    """Each service begins with no accounts, and the settings of the process are back while it runs."""
    before = get_settings()
    for _ in range(2):
        async with running_iam(stack) as iam:
            await iam.sign_up("same@example.com")
            assert get_settings() is before

    assert get_settings() is before


async def test_wrong_password(stack: EmbeddedStack) -> None:
    """A step that does not succeed fails the test, with the answer."""
    async with running_iam(stack) as iam:
        account = await iam.sign_up()
        with pytest.raises(AssertionError, match="LOGIN_BAD_CREDENTIALS"):
            await iam.sign_in(account.email, "wrong")


async def test_mail_server() -> None:
    """A mail is kept for each of its receivers; what is no mail is refused."""
    async with mail_server() as mailbox:

        def post() -> None:
            with smtplib.SMTP("127.0.0.1", mailbox.port) as client:
                client.sendmail("a@x.com", ["b@x.com", "c@x.com"], "Subject: Hello\r\n\r\n/x?token=t.1\r\n")

        await asyncio.to_thread(post)

    assert [(mail.to, mail.subject, mail.token) for mail in mailbox.mails] == [
        ("b@x.com", "Hello", "t.1"),
        ("c@x.com", "Hello", "t.1"),
    ]
    assert mailbox.to("B@X.com", "hell") == mailbox.mails[:1]


async def test_no_mail() -> None:
    """Waiting for a mail that does not come ends, and a mail without a link says so."""
    async with mail_server() as mailbox:
        with pytest.raises(TimeoutError):
            await mailbox.wait("nobody@x.com", timeout_seconds=0.05)
