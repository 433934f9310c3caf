"""`/.well-known`: the keys that verify access tokens, and where they are."""

from typing import Any

from fastapi import APIRouter, Response

from mysingle._kernel.guard import accepted_algorithms
from mysingle.auth.iam._routes._support import Services, refusals
from mysingle.auth.iam._schemas import OpenIdConfiguration

__all__ = ["router"]

_CACHE = "public, max-age=300"
_AWAY = refusals(_503="AUTH_TEMPORARILY_UNAVAILABLE")

router = APIRouter(prefix="/.well-known", tags=["keys"])


@router.get("/jwks.json", responses=_AWAY)
async def jwks(iam: Services, response: Response) -> dict[str, Any]:
    """Return the public keys, the one that signs next included (RFC 7517)."""
    response.headers["Cache-Control"] = _CACHE
    return iam.tools.keys.jwks()


@router.get("/openid-configuration", responses=_AWAY)
async def openid_configuration(iam: Services, response: Response) -> OpenIdConfiguration:
    """Return who signs, with what, and where the keys are."""
    response.headers["Cache-Control"] = _CACHE
    issuer = iam.tools.issuer.issuer
    return OpenIdConfiguration(
        issuer=issuer,
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        id_token_signing_alg_values_supported=list(accepted_algorithms(iam.settings)),
    )
