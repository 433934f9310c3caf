"""Access tokens without an IAM service: a key of one's own, and its public half for the service under test."""

import json
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from mysingle._kernel.identity import AuthenticatedUser
from mysingle.testing.identity import ALICE, BearerToken, make_user

__all__ = ["TokenSigner"]

_ALGORITHM = "ES256"


class TokenSigner:
    """
    Signs access tokens as the IAM service does (ES256), so that a service can be tested behind the `jwt` proof.

    `TokenSigner().environment(path)` holds the variables of a service that believes its tokens.

    Args:
        issuer: the `iss` of its tokens, and the service's `IAM_ISSUER`.
        audience: their `aud`, and the service's `IAM_AUDIENCE`.
        kid: the name of its key; a random one without it.
        lifetime_seconds: how long a token lasts.
    """

    def __init__(
        self,
        *,
        issuer: str = "https://iam.test",
        audience: str = "mysingle",
        kid: str | None = None,
        lifetime_seconds: int = 900,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.kid = kid or uuid.uuid4().hex
        self.key = ECKey.generate_key("P-256")
        self._lifetime_seconds = lifetime_seconds

    def jwks(self) -> dict[str, Any]:
        """Return the JWK set that the service verifies with; it holds no private key."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": _ALGORITHM}]}

    def write_jwks(self, path: Path) -> Path:
        """Write the JWK set into a file, and return the file."""
        path.write_text(json.dumps(self.jwks()), encoding="utf-8")
        return path

    def environment(self, path: Path) -> dict[str, str]:
        """Write the JWK set into a file, and return the variables of a service that believes the tokens."""
        return {
            "AUTH_ALGORITHMS": _ALGORITHM,
            "IAM_AUDIENCE": self.audience,
            "IAM_ISSUER": self.issuer,
            "IAM_PUBLIC_KEYS_FILE": str(self.write_jwks(path)),
        }

    def token(self, user: AuthenticatedUser | str = ALICE, **claims: Any) -> str:
        """Return a good token of a user, a ready one or an id; `claims` replace ours, and None takes one away."""
        header = {"typ": "at+jwt", "alg": _ALGORITHM, "kid": self.kid}
        return self.sign(_json(header), _json(self.claims(user, **claims)))

    def as_user(self, user: AuthenticatedUser | str = ALICE, **claims: Any) -> BearerToken:
        """Return what to pass to an httpx client as `auth=`: a token of the user."""
        return BearerToken(self.token(user, **claims))

    def claims(self, user: AuthenticatedUser | str = ALICE, **changed: Any) -> dict[str, Any]:
        """Return what a good token says; None takes a claim away."""
        user = make_user(user) if isinstance(user, str) else user
        now = int(time.time())
        made = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user.id,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime_seconds,
            "auth_time": now,
            "jti": uuid.uuid4().hex,
            "sid": user.session_id or "test-session",
            "client_id": "tests",
            "amr": ["pwd"],
            "email": user.email,
            "email_verified": user.is_verified,
            "active": user.is_active,
            "su": user.is_superuser,
            "roles": sorted(user.roles),
        }
        return {name: value for name, value in {**made, **changed}.items() if value is not None}

    def sign(self, header: bytes, payload: bytes) -> str:
        """Return a token of any header and payload, with a good signature: for tests of what has to be refused."""
        message = f"{_segment(header)}.{_segment(payload)}"
        signature = JWSRegistry.algorithms[_ALGORITHM].sign(message.encode(), self.key)
        return f"{message}.{_segment(signature)}"


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _segment(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
