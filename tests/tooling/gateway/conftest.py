"""A signing IAM of our own, and files that list services."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://iam.example.com"
AUDIENCE = "mysingle"
ALICE = "a11ce0000000000000000001"

Claims: TypeAlias = dict[str, Any]


class Iam:
    """Signs access tokens as the IAM service does."""

    issuer = ISSUER
    audience = AUDIENCE

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "2026-11"})
        self.pem = self.key.as_pem(private=False).decode()
        self.jwks = {"keys": [{**self.key.as_dict(private=False), "alg": "ES256", "use": "sig"}]}

    def claims(self, **changes: Any) -> Claims:
        now = int(time.time())
        times = {"exp": now + 900, "iat": now, "nbf": now}
        names = {"iss": ISSUER, "aud": AUDIENCE, "sub": ALICE, "jti": "j1", "sid": "s1", "email": "alice@example.com"}
        rights = {"email_verified": True, "active": True, "su": False, "roles": ["trader", "user"]}
        claims = {**times, **names, **rights, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, header: Claims | None = None, key: ECKey | None = None, **changes: Any) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": "2026-11", **(header or {})}
        return jwt.encode(head, self.claims(**changes), key or self.key)


@pytest.fixture(scope="session")
def iam() -> Iam:
    return Iam()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a list of services, changed by keywords, and returns its file."""

    def write_file(**changes: Any) -> Path:
        service = {
            "name": "strategy-service",
            "url": "http://strategy-service:8000",
            "paths": ["/api/v1/strategies"],
            "public_paths": ["/api/v1/open/*", "/api/v1/ping"],
        }
        content = {"issuer": ISSUER, "jwks_url": f"{ISSUER}/.well-known/jwks.json", "services": [service], **changes}
        file = tmp_path / "gateway.yaml"
        file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
        return file

    return write_file
