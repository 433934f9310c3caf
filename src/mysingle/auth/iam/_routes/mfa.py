"""`/auth/mfa`: the second step of signing in, and how it is set up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from mysingle._kernel.asgi import header_map
from mysingle.auth.iam._routes._answers import Transport, token_response
from mysingle.auth.iam._routes._support import (
    CurrentDevice,
    Services,
    Verified,
    never_stored,
    protected,
    refusals,
)
from mysingle.auth.iam._schemas import (
    MfaCode,
    MfaDisable,
    MfaRecoveryCodes,
    MfaSecret,
    MfaSetup,
    MfaVerify,
    TokenResponse,
)

__all__ = ["router"]

_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
_INVALID = "VALIDATION_FAILED"
_LIMITED = "RATE_LIMITED"

router = APIRouter(prefix="/auth/mfa", tags=["mfa"], dependencies=[Depends(never_stored)])


@router.post(
    "/verify",
    responses=refusals(
        _401="MFA_INVALID, LOGIN_BAD_CREDENTIALS",
        _403="CSRF_FAILED",
        _422=_INVALID,
        _429=_LIMITED,
        _503="AUTH_TEMPORARILY_UNAVAILABLE, MONGODB_UNAVAILABLE",
    ),
)
async def verify_mfa(
    body: MfaVerify,
    request: Request,
    iam: Services,
    device: CurrentDevice,
    response: Response,
    transport: Annotated[Transport, Query()] = "bearer",
) -> TokenResponse:
    """End a login that answered MFA_REQUIRED, with a code of the authenticator or a recovery code."""
    if transport == "cookie":
        iam.csrf.check_sign_in(header_map(request.scope))
    signed_in = await iam.users.verify_mfa(body.mfa_token.get_secret_value(), body.code.get_secret_value(), device)
    return token_response(iam, response, signed_in, transport)


@router.post(
    "/setup",
    **protected(_403=f"REAUTH_FAILED, {_NOT_VERIFIED}", _409="MFA_ALREADY_ENABLED", _422=_INVALID, _429=_LIMITED),
)
async def set_up_mfa(body: MfaSetup, iam: Services, caller: Verified, device: CurrentDevice) -> MfaSecret:
    """Return the secret of a new authenticator, which counts once it is enabled with a code."""
    proposed = await iam.mfa.propose(caller, body.current_password.get_secret_value(), device)
    return MfaSecret(secret=proposed.secret, otpauth_url=proposed.url)


@router.post(
    "/enable",
    **protected(_401="MFA_INVALID", _403=_NOT_VERIFIED, _409="MFA_ALREADY_ENABLED", _422=_INVALID, _429=_LIMITED),
)
async def enable_mfa(body: MfaCode, iam: Services, caller: Verified, device: CurrentDevice) -> MfaRecoveryCodes:
    """Demand a code at every further login with the password; the answer shows the recovery codes, this once."""
    codes = await iam.mfa.enable(caller, body.code.get_secret_value(), device)
    return MfaRecoveryCodes(recovery_codes=list(codes))


@router.post(
    "/disable",
    status_code=204,
    **protected(_401="MFA_INVALID", _403=f"REAUTH_FAILED, {_NOT_VERIFIED}", _422=_INVALID, _429=_LIMITED),
)
async def disable_mfa(body: MfaDisable, iam: Services, caller: Verified, device: CurrentDevice) -> None:
    """Demand no code any more."""
    current, code = body.current_password.get_secret_value(), body.code.get_secret_value()
    await iam.mfa.disable(caller, current, code, device)
