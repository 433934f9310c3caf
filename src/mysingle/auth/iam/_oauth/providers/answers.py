"""How the answers of providers are read: texts of a bounded length, or nothing."""

import unicodedata
from collections.abc import Mapping

from mysingle.auth.iam._email_address import normalize
from mysingle.auth.iam._oauth.client import Document
from mysingle.auth.iam._oauth.values import ProviderTokens, provider_failed

__all__ = ["account_id", "email", "flag", "member", "name", "text", "tokens", "url"]

_MAX_TOKEN = 16 * 1024
_MAX_TEXT = 2048
_MAX_NAME = 200
_MAX_ID = 255


def text(document: Mapping[str, object], key: str, limit: int = _MAX_TEXT) -> str | None:
    """Return a text that is neither empty nor longer than the limit."""
    value = document.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None


def name(document: Mapping[str, object], key: str) -> str | None:
    """Return a person's name without control characters."""
    value = text(document, key)
    return (
        "".join(character for character in value if character.isprintable())[:_MAX_NAME].strip() or None
        if value
        else None
    )


def url(document: Mapping[str, object], key: str) -> str | None:
    """Return an address of a picture; only https is one."""
    value = text(document, key)
    return value if value is not None and value.startswith("https://") and value.isprintable() else None


def email(document: Mapping[str, object], key: str) -> str | None:
    """
    Return an e-mail address; what is not one counts as absent.

    So does one with compatibility characters: we would write it with plain ones, and that is a mailbox which the
    provider has not verified.
    """
    value = text(document, key)
    if value is None or unicodedata.normalize("NFKC", value) != unicodedata.normalize("NFC", value):
        return None
    try:
        return normalize(value).display
    except ValueError:
        return None


def flag(document: Mapping[str, object], key: str) -> bool | None:
    """Return a truth value; some providers send the words, and None stands for whatever else."""
    value = document.get(key)
    return (
        {True: True, False: False, "true": True, "false": False}.get(value) if isinstance(value, bool | str) else None
    )


def member(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    """Return a nested object, an empty one when it is missing."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def account_id(document: Mapping[str, object], key: str) -> str:
    """
    Return the id of an account as text; some providers send a number.

    Raises:
        MySingleError: OAUTH_PROVIDER_ERROR, there is none.
    """
    value = document.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID or not value.isprintable():
        raise provider_failed(details={"problem": "no id of the account"})
    return value


def tokens(document: Document) -> ProviderTokens:
    """
    Read the answer of a token endpoint (RFC 6749, section 5.1).

    Raises:
        MySingleError: OAUTH_PROVIDER_ERROR, there is no access token.
    """
    access_token = text(document, "access_token", _MAX_TOKEN)
    if access_token is None or not access_token.isprintable():
        raise provider_failed(details={"problem": "no access token"})
    lifetime = document.get("expires_in")
    return ProviderTokens(
        access_token=access_token,
        refresh_token=text(document, "refresh_token", _MAX_TOKEN),
        id_token=text(document, "id_token", 2 * _MAX_TOKEN),
        expires_in=int(lifetime) if isinstance(lifetime, int | str) and str(lifetime).isdecimal() else None,
        scope=text(document, "scope"),
    )
