"""Mail over real SMTP: a server on loopback that the tests stop, start and let misbehave."""

import asyncio
import email.policy
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.settings import CommonSettings, SettingsError
from mysingle.auth.iam._mail import MailKind, TemplateMailer
from mysingle.core.email import Email, MailQueue

MakeSettings = Callable[..., CommonSettings]
VALUES = {"token": "t0k-en_+/=", "provider": "google", "ip": "203.0.113.7", "new_email": "new@example.com"}


class Post:
    """A mail server's post office: keeps what comes, and answers a few recipients otherwise."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: dict[str, list[str]] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        refusals = self.refusals.get(address, [])
        if refusals:
            return refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = BytesParser(policy=email.policy.default).parsebytes(envelope.original_content)
        assert isinstance(parsed, EmailMessage)
        parsed["X-Secured"] = "yes" if session.ssl else "no"
        parsed["X-Login"] = str(session.authenticated)
        self.mails.append(parsed)
        return "250 OK"

    async def wait_for(self, count: int) -> list[EmailMessage]:
        async with asyncio.timeout(20):
            while len(self.mails) < count:
                await asyncio.sleep(0.02)
        return self.mails


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """An SMTP server on a port of its own; after `stop` it can be started again."""

    def __init__(self, **options: Any) -> None:
        self.post = Post()
        self.port = _free_port()
        self._options = options
        self._running: Controller | None = None

    def start(self) -> None:
        self._running = Controller(self.post, hostname="127.0.0.1", port=self.port, **self._options)
        self._running.start()

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics("mail-service", "1")


@pytest.fixture
def count(metrics: ServiceMetrics) -> Callable[[str], float]:
    """Give a function that returns how many mails ended in one way."""
    return lambda result: metrics.registry.get_sample_value("mysingle_mails_total", {"result": result}) or 0.0


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@asynccontextmanager
async def opened(queue: MailQueue) -> AsyncIterator[MailQueue]:
    await queue.open()
    try:
        yield queue
    finally:
        await queue.close()


@pytest.fixture
def make_queue(make_settings: MakeSettings, metrics: ServiceMetrics) -> Callable[..., MailQueue]:
    """Give a function that makes a queue for a port; the rest are settings."""

    def make(port: int | None = None, max_mails: int = 100, **values: Any) -> MailQueue:
        host = {} if port is None else {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": port}
        chosen = {"SMTP_SECURITY": "none", "SMTP_TIMEOUT_SECONDS": 1.0, "ENVIRONMENT": "testing"} | host | values
        return MailQueue(make_settings(**chosen), metrics, max_mails)

    return make


MakeQueue = Callable[..., MailQueue]
Count = Callable[[str], float]


def mail(number: int = 1, to: str = "user@example.com") -> Email:
    return Email(to=to, subject=f"Mail {number}", text="Hello", html="<p>Hello</p>")


def subjects(mails: list[EmailMessage]) -> list[str]:
    return [message["Subject"] for message in mails]


def link_of(text: str) -> str:
    found = re.search(r"https?://\S+", text)
    assert found is not None
    return found[0]


async def test_delivered_link(server: Server, make_queue: MakeQueue, make_settings: MakeSettings) -> None:
    """A mail arrives as text and HTML, from the configured sender, and its link holds the token unharmed."""
    settings = make_settings(PUBLIC_BASE_URL="https://app.example.com", PROJECT_NAME="Quant")
    async with opened(make_queue(server.port, MAIL_FROM_ADDRESS="no-reply@example.com")) as queue:
        TemplateMailer(settings, queue.post).send("verify", "user@example.com", VALUES)
        (message,) = await server.post.wait_for(1)

    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    link = urlsplit(link_of(text.get_content()))

    assert (message["To"], message["Subject"]) == ("user@example.com", "Quant: Confirm your address")
    assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
    assert (link.scheme, link.netloc, link.path) == ("https", "app.example.com", "/api/v1/auth/verify-email")
    assert {"token": [VALUES["token"]]} == parse_qs(link.query)
    assert link.geturl() in html.get_content()


async def test_order(server: Server, make_queue: MakeQueue, count: Count) -> None:
    """Mails arrive in the order in which they were accepted, and are counted."""
    async with opened(make_queue(server.port)) as queue:
        for number in range(20):
            queue.accept(mail(number))
        mails = await server.post.wait_for(20)

    assert [f"Mail {number}" for number in range(20)] == subjects(mails)
    assert count("sent") == 20


async def test_server_comes_back(server: Server, make_queue: MakeQueue, count: Count) -> None:
    """A server that dies between two mails loses none of them; meanwhile the health check says so."""
    async with opened(make_queue(server.port)) as queue:
        queue.accept(mail(1))
        await server.post.wait_for(1)
        server.stop()
        queue.accept(mail(2))
        queue.accept(mail(3))
        await _until_away(queue)
        server.start()
        mails = await server.post.wait_for(3)
        await queue.ping()

    assert subjects(mails) == ["Mail 1", "Mail 2", "Mail 3"]
    assert (count("sent"), count("dropped")) == (3, 0)


async def _until_away(queue: MailQueue) -> None:
    async with asyncio.timeout(20):
        while (problem := await _problem(queue)) is None:
            await asyncio.sleep(0.02)
    assert "does not answer" in problem


async def _problem(queue: MailQueue) -> str | None:
    try:
        await queue.ping()
    except RuntimeError as error:
        return str(error)
    return None


async def test_silent_server(make_queue: MakeQueue) -> None:
    """A server that takes the connection and says nothing is away after the timeout, and nobody waits for it."""
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with opened(make_queue(silent.getsockname()[1], SMTP_TIMEOUT_SECONDS=0.2)) as queue:
            queue.accept(mail())
            await _until_away(queue)


async def test_full_queue(make_queue: MakeQueue, count: Count, logged: list[Any]) -> None:
    """Beyond its bound the queue drops and counts, with one line in the log; accepting never raises."""
    queue = make_queue(_free_port(), max_mails=3)
    for number in range(10):
        queue.accept(mail(number))

    assert count("dropped") == 7
    assert [entry["event"] for entry in logged].count("mail.dropped") == 1


async def test_close_sends_what_waits(server: Server, make_queue: MakeQueue, count: Count) -> None:
    """Closing sends what is queued, and takes nothing more."""
    queue = make_queue(server.port)
    await queue.open()
    for number in range(10):
        queue.accept(mail(number))
    await queue.close()
    queue.accept(mail(11))

    assert [f"Mail {number}" for number in range(10)] == subjects(server.post.mails)
    assert (count("sent"), count("dropped")) == (10, 1)


@pytest.mark.parametrize("is_silent", [False, True], ids=["nobody listens", "nobody answers"])
async def test_close_in_bounds(is_silent: bool, make_queue: MakeQueue, count: Count, logged: list[Any]) -> None:
    """Without a server, closing ends within the time that a resource has, and says how many mails are lost."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if is_silent:
            listener.listen()
        queue = make_queue(listener.getsockname()[1], SMTP_TIMEOUT_SECONDS=30.0)
        await queue.open()
        queue.accept(mail(1))
        queue.accept(mail(2))
        async with asyncio.timeout(3.0):
            await queue.close()

    assert count("dropped") == 2
    assert [entry["mails"] for entry in logged if entry["event"] == "mail.lost"] == [2]


async def test_refused_for_good(server: Server, make_queue: MakeQueue, count: Count) -> None:
    """What the server refuses for good is counted and forgotten, and the next mail arrives."""
    server.post.refusals["nobody@example.com"] = ["550 no such user"] * 9
    async with opened(make_queue(server.port)) as queue:
        queue.accept(mail(1, to="nobody@example.com"))
        queue.accept(mail(2))
        mails = await server.post.wait_for(1)

    assert subjects(mails) == ["Mail 2"]
    assert (count("sent"), count("refused")) == (1, 1)


async def test_refused_for_now(server: Server, make_queue: MakeQueue, count: Count) -> None:
    """What the server refuses for now is tried again, and does not hold up the others."""
    server.post.refusals["slow@example.com"] = ["451 come back later"]
    async with opened(make_queue(server.port)) as queue:
        queue.accept(mail(1, to="slow@example.com"))
        queue.accept(mail(2))
        mails = await server.post.wait_for(2)

    assert subjects(mails) == ["Mail 2", "Mail 1"]
    assert (count("sent"), count("refused")) == (2, 0)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the certificate of 127.0.0.1, which is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def _check_login(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"mailer", b"secret")
    return AuthResult(success=good, handled=False, auth_data=data)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encrypted(
    security: str,
    certificate: tuple[Path, Path],
    make_queue: MakeQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `starttls` and `tls` the mail and the credentials travel encrypted, to a server that is who it says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    login = {"authenticator": _check_login, "auth_required": security == "starttls"}  # TLS below it is unknown to it
    login |= {"auth_require_tls": security == "starttls"}
    kind = {"ssl_context": context} if security == "tls" else {"tls_context": context}
    with Server(**login, **kind) as server:
        credentials = {"SMTP_USERNAME": "mailer", "SMTP_PASSWORD": "secret"}
        async with opened(make_queue(server.port, SMTP_SECURITY=security, **credentials)) as queue:
            queue.accept(mail())
            (message,) = await server.post.wait_for(1)

    assert message["X-Login"] == "True"
    assert security == "tls" or message["X-Secured"] == "yes"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_never_in_clear(security: str, server: Server, make_queue: MakeQueue) -> None:
    """A server that cannot encrypt gets nothing when encryption was asked for."""
    async with opened(make_queue(server.port, SMTP_SECURITY=security)) as queue:
        queue.accept(mail())
        await _until_away(queue)

    assert server.post.mails == []


async def test_unknown_authority(certificate: tuple[Path, Path], make_queue: MakeQueue) -> None:
    """A server whose certificate nobody vouches for gets nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    with Server(tls_context=context) as server:
        async with opened(make_queue(server.port, SMTP_SECURITY="starttls")) as queue:
            queue.accept(mail())
            await _until_away(queue)

    assert server.post.mails == []


@pytest.mark.parametrize(
    "to",
    [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "Name <a@example.com>",
        "a@example.com\x00",
        "a@example.com\u2028Bcc:b@example.com",
        "no address",
        "@",
        "",
    ],
)
def test_address_injection(to: str, make_queue: MakeQueue, count: Count) -> None:
    """An address that could change the headers or add a recipient is no address; posting it is counted, not raised."""
    with pytest.raises(ValueError, match="address"):
        Email(to=to, subject="Hello", text="Hello")
    make_queue(1).post(to=to, subject="Hello", text="Hello")

    assert count("refused") == 1


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: b@example.com", "Hello\nX: y", "Hello\x85X: y"])
def test_subject_injection(subject: str) -> None:
    """A subject is one line."""
    with pytest.raises(ValueError, match="subject"):
        Email(to="a@example.com", subject=subject, text="Hello")


@pytest.mark.parametrize(
    "values", [{"MAIL_FROM_ADDRESS": "nobody"}, {"MAIL_FROM_NAME": "A\nBcc: b@example.com"}], ids=["address", "name"]
)
async def test_wrong_sender(values: dict[str, str], make_queue: MakeQueue) -> None:
    """A sender that is none ends the start, with the names of the settings."""
    with pytest.raises(SettingsError, match="MAIL_FROM_ADDRESS"):
        await make_queue(1, **values).open()


async def test_development_prints(
    make_queue: MakeQueue, make_settings: MakeSettings, capsys: pytest.CaptureFixture[str], count: Count
) -> None:
    """Without a server, development shows the mail with its link to the person at the terminal."""
    async with opened(make_queue(ENVIRONMENT="development")) as queue:
        TemplateMailer(make_settings(), queue.post).send("reset", "user@example.com", VALUES)

    shown = capsys.readouterr().err
    assert "To: user@example.com" in shown
    assert {"token": [VALUES["token"]]} == parse_qs(urlsplit(link_of(shown)).query)
    assert link_of(shown).startswith("http://localhost:8000/")
    assert count("sent") == 1


@pytest.mark.parametrize("environment", ["testing", "staging", "production", None])
async def test_no_server(
    environment: str | None,
    make_settings: MakeSettings,
    metrics: ServiceMetrics,
    count: Count,
    logged: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Elsewhere, and where nobody said that this is development, mails are counted as dropped after one warning."""
    given = {} if environment is None else {"ENVIRONMENT": environment}
    async with opened(MailQueue(make_settings(**given), metrics)) as queue:
        queue.accept(mail(1))
        queue.accept(mail(2))
        await queue.ping()

    assert count("dropped") == 2
    assert [entry["event"] for entry in logged] == ["mail.nowhere"]
    assert capsys.readouterr().err == ""


class Kept:
    """Takes finished mails and keeps them."""

    def __init__(self) -> None:
        self.mails: list[dict[str, str]] = []

    def __call__(self, **mail: str) -> None:
        self.mails.append(mail)


@pytest.mark.parametrize("kind", list(MailKind))
def test_templates(kind: MailKind, make_settings: MakeSettings) -> None:
    """Every kind of mail has a text and an HTML form, both say the project's name, and nothing is left undefined."""
    kept = Kept()
    settings = make_settings(PUBLIC_BASE_URL="https://app.example.com/portal/", PROJECT_NAME="Quant")
    TemplateMailer(settings, kept).send(kind, "user@example.com", VALUES)
    (sent,) = kept.mails
    hosts = {urlsplit(link).netloc for link in re.findall(r"https?://[^\s\"<]+", sent["text"] + sent["html"])}

    assert sent["subject"].startswith("Quant: ")
    assert all("Quant" in sent[form] for form in ("text", "html"))
    assert hosts <= {"app.example.com"}
    assert "https://app.example.com/portal//" not in sent["text"]


def test_template_escapes(make_settings: MakeSettings) -> None:
    """A value cannot become markup."""
    kept = Kept()
    TemplateMailer(make_settings(), kept).send("login-from-provider", "a@example.com", {"provider": "<b>x</b>"})
    (sent,) = kept.mails

    assert "<b>" not in sent["html"]
    assert "&lt;b&gt;" in sent["html"]


@pytest.mark.parametrize(
    ("kind", "settings", "values"),
    [
        ("verify", {}, {}),
        ("no-such-mail", {}, VALUES),
        ("verify", {"ENVIRONMENT": "production"}, VALUES),
    ],
    ids=["no token", "unknown kind", "no base for links"],
)
def test_unrenderable(
    kind: str, settings: dict[str, str], values: dict[str, str], make_settings: MakeSettings, logged: list[Any]
) -> None:
    """A mail that cannot be made is logged without its values, and the request that wanted it goes on."""
    kept = Kept()
    TemplateMailer(make_settings(**settings), kept).send(kind, "user@example.com", values)

    assert kept.mails == []
    (entry,) = [entry for entry in logged if entry["event"] == "mail.unrenderable"]
    assert VALUES["token"] not in str(entry)


async def test_two_lives(server: Server, make_queue: MakeQueue) -> None:
    """A queue that was closed can be opened again."""
    queue = make_queue(server.port)
    for number in (1, 2):
        async with opened(queue):
            queue.accept(mail(number))
            await server.post.wait_for(number)

    assert subjects(server.post.mails) == ["Mail 1", "Mail 2"]
