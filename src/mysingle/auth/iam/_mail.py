"""The mails of accounts: what each one says, and the link it carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._email_address import deliverable

__all__ = ["MailKind", "Mailer", "Post", "TemplateMailer", "public_base_url"]

TEMPLATES = Path(__file__).parent / "_templates"
DEVELOPMENT_BASE_URL = "http://localhost:8000"

log = get_logger("mysingle.mail")


class MailKind(StrEnum):
    """Every mail of IAM; the templates have these names."""

    ACCOUNT_EXISTS = "account-exists"
    EMAIL_CHANGED = "email-changed"
    INVITE = "invite"
    LOGIN_FROM_PROVIDER = "login-from-provider"
    MFA_CHANGED = "mfa-changed"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # the name of a mail
    REFRESH_REUSED = "refresh-reused"
    RESET = "reset"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class _Form:
    """What a kind of mail needs: a subject, the page its link opens, and the values somebody has to give."""

    subject: str
    page: str | None = None
    required: frozenset[str] = frozenset()


_TOKEN = frozenset({"token"})
_FORMS: Mapping[MailKind, _Form] = {
    MailKind.ACCOUNT_EXISTS: _Form("You already have an account"),
    MailKind.EMAIL_CHANGED: _Form("The address of your account was changed"),
    MailKind.INVITE: _Form("You are invited", "/api/v1/auth/reset-password", _TOKEN),
    MailKind.LOGIN_FROM_PROVIDER: _Form("A new way to sign in", None, frozenset({"provider"})),
    MailKind.MFA_CHANGED: _Form("The second step of signing in was changed"),
    MailKind.PASSWORD_CHANGED: _Form("Your password was changed"),
    MailKind.REFRESH_REUSED: _Form("A session of yours was ended"),
    MailKind.RESET: _Form("Choose a new password", "/api/v1/auth/reset-password", _TOKEN),
    MailKind.VERIFY: _Form("Confirm your address", "/api/v1/auth/verify-email", _TOKEN),
}
_OPTIONAL = ("ip", "new_email")


class Mailer(Protocol):
    """Sends the mails of accounts."""

    def send(self, kind: str, to: str, values: Mapping[str, str]) -> None:
        """Send one mail in the background; returns at once and never fails."""


class Post(Protocol):
    """Takes a finished mail and returns at once."""

    def __call__(self, *, to: str, subject: str, text: str, html: str) -> None:
        """Take it, or count it as lost."""


class TemplateMailer:
    """
    Renders mails and posts them.

    Links begin with `PUBLIC_BASE_URL` and nothing else, whatever a request says its host is. A mail never holds what
    somebody typed about themselves: a stranger could otherwise write to anybody in our name.
    """

    def __init__(self, settings: CommonSettings, post: Post) -> None:
        self._base_url = public_base_url(settings)
        self._project = settings.PROJECT_NAME
        self._post = post
        self._is_base_guessed = settings.PUBLIC_BASE_URL is None
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def send(self, kind: str, to: str, values: Mapping[str, str]) -> None:
        """Render one mail and post it; what cannot be rendered is logged, and the caller goes on."""
        try:
            form = _FORMS[MailKind(kind)]
            known = self._values(form, values)
            to = deliverable(to)
            text, html = (self._environment.get_template(f"{kind}.{end}").render(known) for end in ("txt", "html"))
        except (TemplateError, ValueError, KeyError) as error:
            log.error("mail.unrenderable", kind=kind, reason=repr(error))
            return
        self._post(to=to, subject=f"{self._project}: {form.subject}", text=text, html=html)

    def _values(self, form: _Form, values: Mapping[str, str]) -> dict[str, str]:
        missing = form.required - values.keys()
        if missing:
            raise ValueError(f"values are missing: {', '.join(sorted(missing))}")
        if form.page is not None and self._base_url is None:
            raise ValueError("PUBLIC_BASE_URL is not set, so there is no link to send")
        base = self._base_url or ""
        if self._is_base_guessed:
            self._is_base_guessed = False  # one warning is enough
            log.warning("mail.base_url", base=base, hint="set PUBLIC_BASE_URL: links in mails begin with it")
        link = f"{base}{form.page}?{urlencode({'token': values['token']})}" if form.page else base
        return {**dict.fromkeys(_OPTIONAL, ""), **values, "project": self._project, "link": link}


def public_base_url(settings: CommonSettings) -> str | None:
    """Return the base of every link, without a slash at its end; None when nobody has said what it is."""
    if settings.PUBLIC_BASE_URL is not None:
        return str(settings.PUBLIC_BASE_URL).rstrip("/")
    return DEVELOPMENT_BASE_URL if settings.is_relaxed or settings.is_development else None
