"""What a service must not start with outside of development: used at start-up and by `mysingle doctor`."""

from pydantic import SecretStr

from mysingle._kernel.settings import CommonSettings

__all__ = ["is_placeholder", "problems"]

_PLACEHOLDERS = ("change-this", "change-me", "changeme")
_SIGNING_SUFFIXES = ("_SECRET", "_SECRETS", "_KEY", "_KEYS", "SECRET_KEY")
_MIN_SIGNING_BYTES = 32


def is_placeholder(value: str) -> bool:
    """Tell whether a secret is one that a template ships."""
    return value.strip().lower().startswith(_PLACEHOLDERS)


def problems(settings: CommonSettings) -> tuple[str, ...]:
    """
    Return what is unsafe, one sentence for each setting, by name and never by value.

    The caller decides what to do with them: refuse to start under production rules, warn elsewhere.
    """
    found = (
        _secret_problem(name, secret)
        for name in type(settings).model_fields
        for secret in _secrets(getattr(settings, name))
    )
    return tuple(dict.fromkeys(problem for problem in found if problem))


def _secrets(value: object) -> tuple[SecretStr, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in values if isinstance(item, SecretStr))


def _secret_problem(name: str, value: SecretStr) -> str | None:
    secret = value.get_secret_value()
    if is_placeholder(secret):
        return f"{name} is a placeholder from a template"
    if name.endswith(_SIGNING_SUFFIXES) and len(secret.encode()) < _MIN_SIGNING_BYTES:
        return f"{name} is shorter than {_MIN_SIGNING_BYTES} bytes"
    return None
