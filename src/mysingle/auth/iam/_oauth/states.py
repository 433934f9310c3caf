"""Sign-ins under way: a state that works once, for ten minutes, for one provider, in one browser."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from mysingle.auth.iam._documents import OAuthState, insert_new, stored
from mysingle.auth.iam._values import Clock, instant

__all__ = ["Begun", "OAuthStates", "Pending"]

STATE_SECONDS = 600
_BYTES = 32
_VERIFIER_BYTES = 48
_MAX_SECRET = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A new sign-in: what goes to the provider, and `browser`, which goes into a cookie."""

    state: str
    browser: str
    nonce: str
    code_challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sign-in that has come back. `link_user_id` is set when somebody signed in wants to link an account."""

    code_verifier: str
    nonce: str
    redirect_url: str | None
    link_user_id: str | None
    link_session_id: str | None


class OAuthStates:
    """Keeps what has begun; state and cookie are hashed, so a copy of the database completes no sign-in."""

    def __init__(self, *, clock: Clock = time.time) -> None:
        self._clock = clock

    async def begin(
        self,
        provider: str,
        *,
        redirect_url: str | None,
        link_user_id: str | None = None,
        link_session_id: str | None = None,
    ) -> Begun:
        """Begin a sign-in, or the linking of an account to a user, in that user's session."""
        state, browser, nonce = (secrets.token_urlsafe(_BYTES) for _ in range(3))
        verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
        await insert_new(
            OAuthState(
                id=_fingerprint(state),
                provider=provider,
                browser_hash=_fingerprint(browser),
                code_verifier=verifier,
                nonce=nonce,
                redirect_url=redirect_url,
                link_user_id=link_user_id,
                link_session_id=link_session_id,
                expires_at=instant(self._clock()) + timedelta(seconds=STATE_SECONDS),
            )
        )
        return Begun(state=state, browser=browser, nonce=nonce, code_challenge=_challenge(verifier))

    async def finish(self, provider: str, state: str | None, browser: str | None) -> Pending | None:
        """
        Use a state up; None when it is unknown, over, of another provider or of another browser.

        Only the right browser uses it up, so nobody else can spoil a sign-in. Of two calls at once one succeeds.
        """
        if not state or not browser or max(len(state), len(browser)) > _MAX_SECRET:
            return None
        wanted = {
            "_id": _fingerprint(state),
            "provider": provider,
            "browser_hash": _fingerprint(browser),
            "expires_at": {"$gt": instant(self._clock())},
        }
        found = await stored(OAuthState.get_pymongo_collection().find_one_and_delete(wanted))
        if found is None:
            return None
        return Pending(
            code_verifier=found["code_verifier"],
            nonce=found["nonce"],
            redirect_url=found["redirect_url"],
            link_user_id=found["link_user_id"],
            link_session_id=found["link_session_id"],
        )


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _challenge(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
