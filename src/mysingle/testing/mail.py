"""Mail in a test: a real SMTP server that keeps what it is given."""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

__all__ = ["Mail", "Mailbox", "mail_server"]

_GOODBYE_SECONDS = 1.0
_TOKEN = re.compile(r"[?&]token=([\w.~%-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail that has arrived."""

    to: str
    subject: str
    text: str
    message: EmailMessage

    @property
    def token(self) -> str:
        """
        The token of the link in it.

        Raises:
            ValueError: there is none.
        """
        found = _TOKEN.search(self.text)
        if found is None:
            raise ValueError(f"the mail {self.subject!r} has no link with a token")
        return found[1]


class Mailbox:
    """Every mail that has arrived, in order; `port` is where the server listens on the loopback interface."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._arrived = asyncio.Event()

    def to(self, address: str, about: str = "") -> list[Mail]:
        """Return the mails to an address whose subject holds these words, in any case."""
        return [
            mail
            for mail in self.mails
            if mail.to.casefold() == address.casefold() and about.casefold() in mail.subject.casefold()
        ]

    async def wait(self, address: str, about: str = "", *, count: int = 1, timeout_seconds: float = 10.0) -> Mail:
        """
        Return the last of the mails to an address, once there are so many.

        Raises:
            TimeoutError: they have not come.
        """
        async with asyncio.timeout(timeout_seconds):
            while len(found := self.to(address, about)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return found[-1]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Keep a mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(("plain",))
        if body is None:
            return "554 no mail that a person could read"
        for address in envelope.rcpt_tos:
            mail = Mail(to=address, subject=str(message["Subject"]), text=body.get_content(), message=message)
            self.mails.append(mail)
        self._arrived.set()
        return "250 kept"


@asynccontextmanager
async def mail_server() -> AsyncIterator[Mailbox]:
    """Run an SMTP server in this event loop, on a free port of the loopback interface, and yield what it gets."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="localhost", loop=loop), "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        with suppress(TimeoutError):  # from Python 3.12 on this waits for clients that do not leave
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await server.wait_closed()
