"""Sign-in with other providers, from the first click to the session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.logging import get_logger
from mysingle.auth.errors import AuthReason, unauthenticated
from mysingle.auth.iam._errors import IamReason, bad_request, not_found, unavailable
from mysingle.auth.iam._events import EventKind
from mysingle.auth.iam._mail import public_base_url
from mysingle.auth.iam._oauth.client import ProviderClient
from mysingle.auth.iam._oauth.linking import Linking
from mysingle.auth.iam._oauth.providers.registry import make_providers
from mysingle.auth.iam._oauth.states import Begun, OAuthStates, Pending
from mysingle.auth.iam._oauth.tokens import TokenVault
from mysingle.auth.iam._oauth.values import Authorization, Grant, Provider, ProviderAnswer, provider_failed
from mysingle.auth.iam._primitives import Primitives
from mysingle.auth.iam._throttle import Limit
from mysingle.auth.iam._users import SignedIn, Users
from mysingle.auth.iam._values import Device, UserView

__all__ = ["FEDERATED", "CameBack", "OAuth", "Outcome", "Started"]

FEDERATED = ("fed",)
"""How somebody proved who they are, as in the claim `amr`: another provider says so."""

_PREFIX = "/api/v1/oauth2"

log = get_logger("mysingle.oauth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A sign-in that has begun: where to send the browser, and what to put into its cookie."""

    authorization_url: str
    state: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """What the browser brought back; `browser` is from its cookie."""

    state: str | None
    code: str | None
    error: str | None
    browser: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it: a session, or a user with one more link; and where the browser is to go, if anywhere."""

    signed_in: SignedIn | None = None
    linked: UserView | None = None
    redirect_url: str | None = None


class OAuth:
    """
    The use cases of sign-in with other providers.

    A provider is on when its client id and secret are set. Close it with the service.
    """

    def __init__(self, tools: Primitives, users: Users) -> None:
        settings = tools.settings
        self._tools = tools
        self._users = users
        self._client = ProviderClient(settings.OAUTH_TIMEOUT_SECONDS)
        self._providers: Mapping[str, Provider] = make_providers(settings, self._client)
        self._states = OAuthStates()
        self._linking = Linking(tools, TokenVault(settings, tools.secret))
        self._redirect_urls = frozenset(settings.OAUTH_REDIRECT_URLS)
        self._base_url = public_base_url(settings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the providers that are on."""
        return tuple(sorted(self._providers))

    async def close(self) -> None:
        """Close the connections to the providers."""
        await self._client.close()

    async def start(
        self,
        name: str,
        device: Device,
        *,
        redirect_url: str | None = None,
        scopes: Iterable[str] = (),
        caller: AuthenticatedUser | None = None,
    ) -> Started:
        """
        Begin a sign-in; with `caller`, begin to link an account to that user.

        Args:
            name: which provider.
            device: where it begins.
            redirect_url: where the browser goes in the end, one of OAUTH_REDIRECT_URLS exactly.
            scopes: what to ask for beyond the identity.
            caller: who wants to link.

        Raises:
            MySingleError: OAUTH_UNKNOWN_PROVIDER, OAUTH_INVALID_REDIRECT, RATE_LIMITED or OAUTH_PROVIDER_ERROR.
        """
        provider = self._provider(name)
        if redirect_url is not None and redirect_url not in self._redirect_urls:
            raise bad_request(IamReason.OAUTH_INVALID_REDIRECT, "This address is not one of OAUTH_REDIRECT_URLS.")
        await self._tools.throttle.require(Limit.AUTHORIZE, caller.id if caller else device.ip)
        begun = await self._states.begin(
            name,
            redirect_url=redirect_url,
            link_user_id=caller.id if caller else None,
            link_session_id=caller.session_id if caller else None,
        )
        url = await provider.authorization_url(self._authorization(name, begun, tuple(scopes)))
        return Started(authorization_url=url, state=begun.state, browser=begun.browser)

    async def finish(self, name: str, back: CameBack, device: Device, *, is_browser: bool = False) -> Outcome:
        """
        End a sign-in, or a linking whose person is known from its beginning.

        A person at a browser is sent to where the sign-in was to end, also when it failed: with `error` in the query.

        Raises:
            MySingleError: OAUTH_UNKNOWN_PROVIDER, OAUTH_INVALID_STATE, OAUTH_INVALID_ID_TOKEN, OAUTH_PROVIDER_ERROR,
                OAUTH_NOT_AVAILABLE_EMAIL, OAUTH_ACCOUNT_EXISTS, OAUTH_ALREADY_LINKED, REGISTRATION_DISABLED,
                LOGIN_USER_NOT_VERIFIED or LOGIN_BAD_CREDENTIALS.
        """
        provider = self._provider(name)
        pending = await self._pending(name, back)
        try:
            return await self._settle(provider, pending, back, device)
        except MySingleError as error:
            if not is_browser or pending.redirect_url is None:
                raise
            return Outcome(redirect_url=_with_error(pending.redirect_url, error.reason))

    async def finish_link(self, name: str, back: CameBack, device: Device, caller: AuthenticatedUser) -> UserView:
        """
        End a linking that this caller has begun.

        Raises:
            MySingleError: as `finish`; OAUTH_INVALID_STATE also when somebody else has begun it.
        """
        provider = self._provider(name)
        pending = await self._pending(name, back)
        if pending.link_user_id != caller.id:
            raise _invalid_state()
        outcome = await self._settle(provider, pending, back, device)
        assert outcome.linked is not None
        return outcome.linked

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise not_found(IamReason.OAUTH_UNKNOWN_PROVIDER, "There is no sign-in with a provider of this name.")
        return provider

    def _authorization(self, name: str, begun: Begun, scopes: tuple[str, ...]) -> Authorization:
        return Authorization(
            redirect_uri=self._redirect_uri(name),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=begun.code_challenge,
            scopes=scopes,
        )

    def _redirect_uri(self, name: str) -> str:
        """Each provider has a callback of its own, so that one cannot answer for another (RFC 9700, section 4.4)."""
        if self._base_url is None:
            raise unavailable("PUBLIC_BASE_URL is not set, so no provider can send anybody back.")
        return f"{self._base_url}{_PREFIX}/{name}/callback"

    async def _pending(self, name: str, back: CameBack) -> Pending:
        pending = await self._states.finish(name, back.state, back.browser)
        if pending is None:
            raise _invalid_state()
        return pending

    async def _settle(self, provider: Provider, pending: Pending, back: CameBack, device: Device) -> Outcome:
        if back.error is not None or not back.code:
            raise provider_failed("The provider has not signed anybody in.", details={"error": str(back.error)[:64]})
        answer = await self._identify(provider, pending, back.code, back.state or "")
        if pending.link_user_id is not None:
            await self._require_session(pending)
            user = await self._linking.link(pending.link_user_id, provider.name, answer, device)
            return Outcome(linked=user, redirect_url=pending.redirect_url)
        owner = await self._linking.user_of(provider.name, answer, device)
        signed_in = await self._users.sign_in(owner, device, amr=FEDERATED)
        await self._tools.events.record(
            EventKind.OAUTH_SIGNED_IN,
            user_id=signed_in.user.id,
            device=device,
            session_id=signed_in.session_id,
            detail={"provider": provider.name},
        )
        return Outcome(signed_in=signed_in, redirect_url=pending.redirect_url)

    async def _identify(self, provider: Provider, pending: Pending, code: str, state: str) -> ProviderAnswer:
        grant = Grant(
            code=code,
            redirect_uri=self._redirect_uri(provider.name),
            state=state,
            nonce=pending.nonce,
            code_verifier=pending.code_verifier,
        )
        try:
            return await provider.identify(grant)
        except MySingleError as error:
            log.warning("oauth.refused", provider=provider.name, reason=error.reason, **error.details)
            raise

    async def _require_session(self, pending: Pending) -> None:
        """Whoever has signed out meanwhile, perhaps because of a thief, links nothing any more."""
        session_id = pending.link_session_id
        if session_id is None or await self._tools.sessions.is_revoked(session_id):
            raise unauthenticated(AuthReason.SESSION_REVOKED, "This session is over. Sign in again.")


def _invalid_state() -> MySingleError:
    message = "This sign-in has not begun in this browser, or it is over. Start again."
    return bad_request(IamReason.OAUTH_INVALID_STATE, message)


def _with_error(url: str, reason: str) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("error", reason)])
    return urlunsplit(parts._replace(query=query))
