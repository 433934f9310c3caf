"""Mail: a bounded queue between requests and the SMTP server, so that nobody waits for it and losses are counted."""

import asyncio
import contextlib
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, make_msgid
from enum import StrEnum
from typing import TypeAlias

import aiosmtplib

from mysingle._kernel.logging import get_logger
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.settings import CommonSettings, SettingsError

__all__ = ["Email", "MailQueue"]

MAX_QUEUED_MAILS = 1_000
_RETRY_SECONDS = (0.5, 2.0, 10.0, 30.0, 60.0)
_MAX_AGE_SECONDS = 3_600.0
_FLUSH_SECONDS = 2.5
_GOODBYE_SECONDS = 1.0
_CLOSING_CHANNEL = 421
_FIRST_FINAL_REPLY = 500

Send: TypeAlias = Callable[[EmailMessage], Awaitable[None]]
Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Send]]

log = get_logger("mysingle.mail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """
    One message to one person, as text and, when there is any, as HTML beside it.

    Raises:
        ValueError: `to` is no plain address, or the subject has more than one line; so no header can be added.
    """

    to: str
    subject: str
    text: str
    html: str | None = None

    def __post_init__(self) -> None:
        _address(self.to)
        if not self.subject.isprintable():
            raise ValueError("The subject of a mail is one line of printable characters")

    def message(self, sender: Address) -> EmailMessage:
        """Return what goes over the wire."""
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = sender
        message["To"] = _address(self.to)
        message["Subject"] = self.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text)
        if self.html is not None:
            message.add_alternative(self.html, subtype="html")
        return message


def _address(text: str, display_name: str = "") -> Address:
    if not (text + display_name).isprintable() or " " in text:
        raise ValueError("A mail address is one word of printable characters")
    try:
        return Address(display_name=display_name, addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:  # what the standard library raises depends on what is wrong
        raise ValueError("This is no mail address") from error


class _Verdict(StrEnum):
    """What a failure means for one mail."""

    AWAY = "away"
    LATER = "later"
    NEVER = "never"


def _judge(error: Exception) -> _Verdict:
    """Tell whether the server is away, refuses for now, or refuses for good (RFC 5321 section 4.2.1)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, OSError):  # lost connections, timeouts and failures of TLS among them
        return _Verdict.AWAY
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if error.code == _CLOSING_CHANNEL:
            return _Verdict.AWAY
        return _Verdict.LATER if error.code < _FIRST_FINAL_REPLY else _Verdict.NEVER
    return _Verdict.NEVER


@dataclass(slots=True)
class _Waiting:
    """One mail in the queue, on the loop's clock."""

    email: Email
    since: float
    due: float
    attempts: int = field(default=0)


class MailQueue:
    """
    A resource between the requests and the SMTP server.

    `accept` never waits and never fails: beyond 1,000 queued mails it drops and counts. While the server is away
    the mails wait, at most an hour each; what the server refuses for good is counted and forgotten. `close` sends
    what is left, at most 2.5 s. A connection that breaks at the wrong moment can make a mail arrive twice.

    Without `SMTP_HOST` an explicit development environment prints each mail to standard error; elsewhere mails are
    dropped and counted, with one warning at the start.
    """

    name = "mail"

    def __init__(self, settings: CommonSettings, metrics: ServiceMetrics, max_mails: int = MAX_QUEUED_MAILS) -> None:
        self._settings = settings
        self._count = metrics.mails
        self._connect = _choose(settings)
        self._max_mails = max_mails
        self._waiting: deque[_Waiting] = deque()
        self._sending: _Waiting | None = None
        self._wake: asyncio.Event | None = None
        self._worker: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_full = False
        self._failures = 0
        self._not_before = 0.0
        self._level = metrics.mails_waiting

    def accept(self, email: Email) -> None:
        """Take one mail, or count it as dropped when there is no room, no server, or no worker any more."""
        if self._connect is None or self._is_closing or len(self._waiting) >= self._max_mails:
            self._drop()
            return
        now = asyncio.get_running_loop().time()
        self._waiting.append(_Waiting(email, since=now, due=now))
        self._is_full = False
        self._tell()

    def post(self, *, to: str, subject: str, text: str, html: str | None = None) -> None:
        """Take one mail by its parts; one that cannot be a mail is logged and counted, never raised."""
        try:
            self.accept(Email(to=to, subject=subject, text=text, html=html))
        except ValueError as error:
            self._count.labels("refused").inc()
            log.error("mail.refused", reason=str(error), reply=None)

    async def open(self) -> None:
        """Start the worker. A server that is away is no obstacle."""
        self._sender()
        self._wake = asyncio.Event()
        self._is_closing = False
        self._failures, self._not_before = 0, 0.0
        if self._connect is None:
            log.warning("mail.nowhere", hint="set SMTP_HOST: until then no mail is sent")
            return
        self._worker = asyncio.create_task(self._work(), name="mail")

    async def close(self) -> None:
        """Try everything that waits once more, count what is lost, and stop the worker."""
        self._is_closing = True
        self._tell()
        worker, self._worker = self._worker, None
        if worker is not None:
            _, pending = await asyncio.wait({worker}, timeout=_FLUSH_SECONDS)
            if pending:
                worker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await worker
        self._put_back()
        if self._waiting:
            self._count.labels("dropped").inc(len(self._waiting))
            log.error("mail.lost", mails=len(self._waiting))
            self._waiting.clear()
        self._level.set(0)

    async def ping(self) -> None:
        """Raise while the server did not take the last mail because it is away."""
        if self._connect is None:
            return
        if self._worker is None or self._worker.done():
            raise RuntimeError("the mail worker is not running")
        if self._failures:
            raise RuntimeError(f"the mail server does not answer, tried {self._failures} times")

    def _sender(self) -> Address:
        settings = self._settings
        try:
            return _address(settings.MAIL_FROM_ADDRESS, settings.MAIL_FROM_NAME or settings.PROJECT_NAME)
        except ValueError:
            raise SettingsError(["MAIL_FROM_ADDRESS and MAIL_FROM_NAME: no sender of a mail"]) from None

    def _drop(self) -> None:
        self._count.labels("dropped").inc()
        if self._connect is not None and not self._is_full:
            self._is_full = True  # one line for each time that the queue is full
            log.error("mail.dropped", waiting=len(self._waiting))

    def _tell(self) -> None:
        self._level.set(len(self._waiting))
        if self._wake is not None:
            self._wake.set()

    async def _work(self) -> None:
        while not self._is_closing:
            await self._until_due()
            await self._visit()
        await self._visit()  # what came while the last visit ended

    async def _until_due(self) -> None:
        """Sleep until a mail is due and the server may be asked again, or until the end."""
        loop = asyncio.get_running_loop()
        wake = self._wake = self._wake or asyncio.Event()
        while not self._is_closing:
            due = max(min((mail.due for mail in self._waiting), default=float("inf")), self._not_before)
            if due <= loop.time():
                return
            wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if due == float("inf") else due):
                    await wake.wait()

    async def _visit(self) -> None:
        """Go to the server once, with everything that is due."""
        if self._connect is None or not self._waiting:
            return
        try:
            async with self._connect() as send:
                while (mail := self._take_due()) is not None:
                    await self._send(mail, send)
        except (OSError, aiosmtplib.SMTPException) as error:
            self._server_is_away(error)
        else:
            self._failures = 0
        self._level.set(len(self._waiting))

    def _take_due(self) -> _Waiting | None:
        now = asyncio.get_running_loop().time()
        for mail in self._waiting:
            if mail.due <= now or self._is_closing:
                self._waiting.remove(mail)
                self._sending = mail
                return mail
        return None

    async def _send(self, mail: _Waiting, send: Send) -> None:
        try:
            await send(mail.email.message(self._sender()))
        except Exception as error:  # whatever is wrong with one mail, the others go on
            verdict = _judge(error)
            if verdict is _Verdict.AWAY:
                raise
            self._refused(mail, error, verdict)
        else:
            self._failures = 0
            self._count.labels("sent").inc()
        self._sending = None

    def _refused(self, mail: _Waiting, error: Exception, verdict: _Verdict) -> None:
        reply = getattr(error, "code", None)
        loop = asyncio.get_running_loop()
        if verdict is _Verdict.NEVER or self._is_closing or loop.time() - mail.since > _MAX_AGE_SECONDS:
            self._count.labels("refused").inc()
            log.error("mail.refused", reason=type(error).__name__, reply=reply)
            return
        mail.due = loop.time() + _delay(mail.attempts)
        mail.attempts += 1
        self._waiting.append(mail)
        log.warning("mail.postponed", reason=type(error).__name__, reply=reply)

    def _server_is_away(self, error: Exception) -> None:
        self._put_back()
        delay = _delay(self._failures)
        now = asyncio.get_running_loop().time()
        self._failures += 1
        self._not_before = now + delay
        log.warning("mail.retry", mails=len(self._waiting), delay_s=delay, reason=type(error).__name__)
        while self._waiting and now - self._waiting[0].since > _MAX_AGE_SECONDS:
            self._waiting.popleft()
            self._drop()

    def _put_back(self) -> None:
        if self._sending is not None:
            self._waiting.appendleft(self._sending)
            self._sending = None


def _delay(attempt: int) -> float:
    return _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]


def _choose(settings: CommonSettings) -> Connect | None:
    if settings.SMTP_HOST:
        return _SmtpServer(settings).connect
    # A link in a mail signs somebody in, so it is shown only where somebody has said that this is development.
    return _terminal if settings.is_environment_explicit and settings.is_development else None


class _SmtpServer:
    """Opens connections as the settings say."""

    def __init__(self, settings: CommonSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Send]:
        settings = self._settings
        password = settings.SMTP_PASSWORD.get_secret_value() if settings.SMTP_PASSWORD else None
        client = aiosmtplib.SMTP(
            hostname=settings.SMTP_HOST,
            port=settings.SMTP_PORT,
            username=settings.SMTP_USERNAME,
            password=password,
            timeout=settings.SMTP_TIMEOUT_SECONDS,
            use_tls=settings.SMTP_SECURITY == "tls",
            start_tls=settings.SMTP_SECURITY == "starttls",
            local_hostname=socket.gethostname() or "localhost",  # the default asks the DNS, without a bound
        )

        async def send(message: EmailMessage) -> None:
            await client.send_message(message)

        await client.connect()
        try:
            yield send
            with contextlib.suppress(OSError, aiosmtplib.SMTPException):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await client.quit()
        finally:
            client.close()


@asynccontextmanager
async def _terminal() -> AsyncIterator[Send]:
    """Show mails to the developer; the log would mask the links."""

    async def send(message: EmailMessage) -> None:
        body = message.get_body(("plain",))
        text = str(body.get_content()) if body is not None else ""
        rule = "-" * 72
        shown = f"{rule}\nTo: {message['To']}\nSubject: {message['Subject']}\n\n{text.strip()}\n{rule}\n"
        await asyncio.to_thread(_write, shown)

    yield send


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
