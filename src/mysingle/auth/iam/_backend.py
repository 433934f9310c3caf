"""Who is calling the IAM service: its own token, a session that goes on, and the user as the database has it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from mysingle._kernel.asgi import Scope
from mysingle._kernel.guard import accepted_algorithms
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._claims import AccessClaims
from mysingle.auth._tokens import TokenVerifier
from mysingle.auth.errors import AuthReason, unauthenticated
from mysingle.auth.iam._cookies import Cookies
from mysingle.auth.iam._credentials import access_credential
from mysingle.auth.iam._csrf import CsrfCheck, is_safe_method
from mysingle.auth.iam._primitives import Primitives

__all__ = ["CLAIMS", "IamBackend"]

CLAIMS = "access_claims"
"""Where the claims of the token are in `scope["state"]`, for the route that shows them."""


class IamBackend:
    """
    Believes this service's own access tokens, in the header or in the cookie, and what the database says of the user.

    What a token says of its user is never enough: a user who is gone, or whose session is over, is nobody, and while
    neither the cache nor the database can tell, nobody gets in.
    """

    def __init__(self, settings: CommonSettings, primitives: Primitives, cookies: Cookies, csrf: CsrfCheck) -> None:
        self._tools = primitives
        self._cookies = cookies
        self._csrf = csrf
        self.verifier = TokenVerifier(
            keys=primitives.keys,
            algorithms=accepted_algorithms(settings),
            issuer=primitives.issuer.issuer,
            audience=primitives.issuer.audience,
        )

    async def identify(self, scope: Scope, headers: Mapping[bytes, bytes]) -> AuthenticatedUser | None:
        """
        Return the caller; None when the request carries no token.

        Raises:
            MySingleError: TOKEN_*, SESSION_REVOKED or CSRF_FAILED; AUTH_TEMPORARILY_UNAVAILABLE or
                MONGODB_UNAVAILABLE, a 503.
        """
        credential = access_credential(scope, self._cookies)
        if credential is None:
            return None
        claims = await self.verifier.verify(credential.token)
        if credential.is_cookie:
            self._check_browser(scope, headers, claims)
        user = await self._load(claims)
        scope.setdefault("state", {})[CLAIMS] = claims
        return user

    def _check_browser(self, scope: Scope, headers: Mapping[bytes, bytes], claims: AccessClaims) -> None:
        if scope["type"] == "websocket":
            self._csrf.check_origin(headers)
        elif not is_safe_method(scope["method"]):
            self._csrf.check(headers, claims.session_id)

    async def _load(self, claims: AccessClaims) -> AuthenticatedUser:
        """Ask for the session and the user at the same time: one round trip."""
        is_revoked, user = await asyncio.gather(
            self._tools.sessions.is_revoked(claims.session_id), self._tools.find(claims.subject)
        )
        if is_revoked:
            raise unauthenticated(AuthReason.SESSION_REVOKED, "This session is over. Sign in again.")
        if user is None:
            raise unauthenticated(AuthReason.TOKEN_INVALID, "The access token is not valid.")
        moment = None if claims.auth_time is None else datetime.fromtimestamp(claims.auth_time, UTC)
        return user.authenticated(session_id=claims.session_id, authenticated_at=moment)
