"""What a provider is asked and what it answers: values without any protocol behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mysingle._kernel.errors import MySingleError
from mysingle.auth.iam._errors import IamReason, bad_gateway, bad_request

__all__ = [
    "Authorization",
    "Capabilities",
    "Grant",
    "Provider",
    "ProviderAnswer",
    "ProviderIdentity",
    "ProviderTokens",
    "bad_id_token",
    "provider_failed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider is known to check; we send PKCE to all of them, and rely on it where it is known."""

    pkce: bool
    nonce: bool
    id_token: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What goes into the address to which the browser is sent."""

    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A code that came back, with what belongs to it."""

    code: str
    redirect_uri: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderIdentity:
    """
    Who somebody is at a provider.

    `email_verified` is True only when the provider says that it has verified the address; None when it says nothing.
    """

    account_id: str
    email: str | None
    email_verified: bool | None
    full_name: str | None = None
    avatar_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """The provider's own tokens: for calls to it, never for calls to us."""

    access_token: str
    refresh_token: str | None = None
    id_token: str | None = None
    expires_in: int | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What a code was worth."""

    identity: ProviderIdentity
    tokens: ProviderTokens


class Provider(Protocol):
    """One provider of sign-ins."""

    @property
    def name(self) -> str:
        """Its name in paths and in the database."""

    @property
    def capabilities(self) -> Capabilities:
        """What it is known to check."""

    async def authorization_url(self, authorization: Authorization) -> str:
        """
        Return where to send the browser.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR.
        """

    async def identify(self, grant: Grant) -> ProviderAnswer:
        """
        Exchange a code for an identity.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR or OAUTH_INVALID_ID_TOKEN.
        """


def provider_failed(message: str = "", *, details: Mapping[str, object] | None = None) -> MySingleError:
    """Return the 502 for a provider that is away or answers nonsense; `details` are for the log."""
    error = bad_gateway(IamReason.OAUTH_PROVIDER_ERROR, message or "The provider did not answer as it should.")
    error.details.update(details or {})
    return error


def bad_id_token(problem: str) -> MySingleError:
    """Return the 400 for an id token that is not believed; what is wrong with it stays in the log."""
    error = bad_request(IamReason.OAUTH_INVALID_ID_TOKEN, "The provider's id token is not valid. Start again.")
    error.details["problem"] = problem
    return error
