"""What a service must not start with outside of development: used at start-up and by `mysingle doctor`."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from mysingle._kernel.settings import CommonSettings

__all__ = [
    "accepted_algorithms",
    "is_placeholder",
    "is_safe_url",
    "is_usable",
    "problems",
    "secret_problems",
    "usable_secrets",
]

_PLACEHOLDERS = ("change-this", "change-me", "changeme")
_SHIPPED = frozenset({"test-gateway-key-0123456789abcdef"})
"""Whole values that stand in our own documentation, so everybody knows them."""

_SIGNING_SUFFIXES = ("_SECRET", "_SECRETS", "_KEY", "_KEYS", "SECRET_KEY")
_FOREIGN_SUFFIX = "_CLIENT_SECRET"
"""The secret that another provider has chosen; its length is not ours to judge."""

_MIN_SIGNING_BYTES = 32
_SYMMETRIC = "HS256"


def is_placeholder(value: str) -> bool:
    """Tell whether a secret is one that a template or an example ships."""
    return value.strip().lower().startswith(_PLACEHOLDERS) or value.strip() in _SHIPPED


def is_usable(secret: bytes) -> bool:
    """Tell whether a secret may sign or prove something under production rules; one that may not counts as absent."""
    return len(secret) >= _MIN_SIGNING_BYTES and not is_placeholder(secret.decode("utf-8", "replace"))


def usable_secrets(settings: CommonSettings, secrets: Iterable[SecretStr]) -> tuple[bytes, ...]:
    """Return the secrets that may sign or prove something here, as the bytes that they are."""
    values = (secret.get_secret_value().encode() for secret in secrets)
    return tuple(value for value in values if settings.is_relaxed or is_usable(value))


def is_safe_url(url: str) -> bool:
    """Tell whether keys may be fetched from there (https, or http on loopback): nobody on the way can change them."""
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError:
        return False
    if parts.username is not None or not parts.hostname or not is_port:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def accepted_algorithms(settings: CommonSettings) -> tuple[str, ...]:
    """Return the algorithms of tokens; under production rules HS256 is one of them only after the opt-in."""
    allows = settings.is_relaxed or settings.AUTH_ALLOW_HS256
    return tuple(name for name in settings.AUTH_ALGORITHMS if allows or name != _SYMMETRIC)


def problems(settings: CommonSettings) -> tuple[str, ...]:
    """
    Return what is unsafe, one sentence for each setting, by name and never by value.

    The caller decides what to do with them: refuse to start under production rules, warn elsewhere.
    """
    found = (problem for name in type(settings).model_fields for problem in secret_problems(settings, name))
    return tuple(dict.fromkeys(problem for problem in (*found, _algorithm_problem(settings)) if problem))


def secret_problems(settings: CommonSettings, name: str) -> tuple[str, ...]:
    """Return what is unsafe about the secrets of one setting; nothing when it holds none."""
    found = (_secret_problem(name, secret) for secret in _secrets(getattr(settings, name)))
    return tuple(dict.fromkeys(problem for problem in found if problem))


def _algorithm_problem(settings: CommonSettings) -> str | None:
    if _SYMMETRIC not in settings.AUTH_ALGORITHMS or settings.AUTH_ALLOW_HS256:
        return None
    return "AUTH_ALGORITHMS lists HS256, whose one key both signs and verifies; AUTH_ALLOW_HS256=true accepts that"


def _secrets(value: object) -> tuple[SecretStr, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in values if isinstance(item, SecretStr))


def _secret_problem(name: str, value: SecretStr) -> str | None:
    secret = value.get_secret_value()
    if is_placeholder(secret):
        return f"{name} is a placeholder from a template"
    is_signing = name.endswith(_SIGNING_SUFFIXES) and not name.endswith(_FOREIGN_SUFFIX)
    if is_signing and len(secret.encode()) < _MIN_SIGNING_BYTES:
        return f"{name} is shorter than {_MIN_SIGNING_BYTES} bytes"
    return None
