"""The start of an IAM service: what its settings lack, and the first superuser."""

from mysingle._kernel.errors import AlreadyExistsError
from mysingle._kernel.guard import is_placeholder
from mysingle._kernel.logging import get_logger
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._documents import User
from mysingle.auth.iam._email_address import EmailAddress, normalize
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import MailKind
from mysingle.auth.iam._password_policy import problems as password_problems
from mysingle.auth.iam._primitives import Primitives, Purpose

__all__ = ["ensure_superuser", "startup_problems"]

log = get_logger("mysingle.iam")


def startup_problems(settings: CommonSettings) -> tuple[str, ...]:
    """Return what an IAM service must not start with under production rules; names of settings, never values."""
    found = []
    if settings.AUTH_SECRET_KEY is None:
        found.append("AUTH_SECRET_KEY is missing: every process would sign with a key of its own, lost at its end")
    if settings.PUBLIC_BASE_URL is None:
        found.append("PUBLIC_BASE_URL is missing: no mail could carry a link, so nobody could confirm an address")
    found.extend(_superuser_problems(settings))
    return tuple(found)


def _superuser_problems(settings: CommonSettings) -> list[str]:
    email, password = settings.AUTH_SUPERUSER_EMAIL, settings.AUTH_SUPERUSER_PASSWORD
    if email is None:
        return [] if password is None else ["AUTH_SUPERUSER_PASSWORD is set, but AUTH_SUPERUSER_EMAIL is not"]
    if _address(email) is None:
        return ["AUTH_SUPERUSER_EMAIL is no e-mail address"]
    if password is None:
        return []
    wrong = password_problems(
        password.get_secret_value(),
        email=email,
        names=(settings.PROJECT_NAME,),
        min_length=settings.AUTH_PASSWORD_MIN_LENGTH,
    )
    return [f"AUTH_SUPERUSER_PASSWORD: {problem}" for problem in wrong]


def _usable_password(settings: CommonSettings) -> str | None:
    """Return the superuser's password; where trust is not relaxed, one that anybody could guess counts as absent."""
    password = settings.AUTH_SUPERUSER_PASSWORD
    if password is None:
        return None
    given = password.get_secret_value()
    is_weak = is_placeholder(given) or bool(_superuser_problems(settings))
    return None if is_weak and not settings.is_relaxed else given


async def ensure_superuser(tools: Primitives) -> None:
    """
    Make the superuser whom the settings name, if there is none.

    Nobody gets a password that a stranger could know: without `AUTH_SUPERUSER_PASSWORD` a link to choose one goes to
    the address. An account that somebody else opened under that address is not promoted while it is unverified.
    """
    settings = tools.settings
    address = _address(settings.AUTH_SUPERUSER_EMAIL or "")
    if address is None or await tools.users.count_superusers():
        return
    existing = await tools.users.by_email_key(address.key)
    if existing is not None:
        await _promote(tools, existing)
        return
    password = _usable_password(settings)
    user = User(
        email=address.display,
        email_key=address.key,
        hashed_password=await tools.passwords.hash(password) if password else None,
        full_name=settings.AUTH_SUPERUSER_FULLNAME,
        is_superuser=True,
        is_verified=password is not None,
    )
    try:
        user_id = str((await tools.users.insert(user)).id)
    except AlreadyExistsError:
        return  # another process has just made it
    if password is None:
        await tools.mail_token(Purpose.INVITE, MailKind.INVITE, user_id, address.display)
    await tools.events.record(EventKind.USER_CREATED, user_id=user_id, detail={"by": "settings"})
    log.warning("iam.superuser_made", user_id=user_id)


async def _promote(tools: Primitives, user: User) -> None:
    user_id = str(user.id)
    if not (user.is_verified and user.is_active):
        log.error("iam.superuser_refused", user_id=user_id, hint="verify and activate the account of that address")
        return
    await tools.change(user_id, is_superuser=True)
    await tools.events.record(EventKind.RIGHTS_CHANGED, user_id=user_id, detail={"by": "settings"})
    log.warning("iam.superuser_made", user_id=user_id)


def _address(email: str) -> EmailAddress | None:
    try:
        return normalize(email)
    except ValueError:
        return None
