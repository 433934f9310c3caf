"""`/auth`: registration, login, refresh and logout, and the tokens that come by mail."""

from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from mysingle._kernel.asgi import header_map
from mysingle._kernel.errors import PermissionDeniedError, UnauthenticatedError
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth._claims import AccessClaims
from mysingle.auth.errors import AuthReason, unauthenticated
from mysingle.auth.iam._backend import CLAIMS
from mysingle.auth.iam._container import Iam
from mysingle.auth.iam._credentials import access_credential, refresh_credential
from mysingle.auth.iam._errors import IamReason, unauthorized
from mysingle.auth.iam._routes._answers import Transport, clear_cookies, token_response, user_read
from mysingle.auth.iam._routes._support import (
    Caller,
    CurrentDevice,
    Services,
    Verified,
    body_schema,
    never_stored,
    protected,
    read_json,
    read_json_or_form,
    refusals,
)
from mysingle.auth.iam._schemas import (
    ChangePassword,
    CompatRegister,
    EmailRequest,
    Empty,
    JsonLogin,
    Login,
    Logout,
    RefreshRequest,
    Register,
    ResetPassword,
    TokenInfo,
    TokenRequest,
    TokenResponse,
    UserRead,
)

__all__ = ["make_router"]

_INVALID = "VALIDATION_FAILED"
_LIMITED = "RATE_LIMITED"
_AWAY = "AUTH_TEMPORARILY_UNAVAILABLE, MONGODB_UNAVAILABLE"

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(never_stored)])


async def register(body: Register, iam: Services, device: CurrentDevice, response: Response) -> UserRead | Empty:
    """Open an account; a link to verify its address comes by mail."""
    user = await iam.registration.register(body, device)
    if user is None:
        response.status_code = 202
        return Empty()
    return await user_read(iam, user)


async def register_compat(
    body: CompatRegister, iam: Services, device: CurrentDevice, response: Response
) -> UserRead | Empty:
    """Open an account; what a client may not decide is ignored."""
    return await register(body, iam, device, response)


@router.post(
    "/login",
    responses=refusals(
        _401="LOGIN_BAD_CREDENTIALS",
        _403="LOGIN_USER_NOT_VERIFIED, MFA_REQUIRED, CSRF_FAILED",
        _422=_INVALID,
        _429=_LIMITED,
        _503=_AWAY,
    ),
    openapi_extra=body_schema(json=JsonLogin, form=Login),
)
async def login(
    request: Request,
    iam: Services,
    device: CurrentDevice,
    response: Response,
    transport: Annotated[Transport, Query()] = "bearer",
) -> TokenResponse:
    """Begin a session with an address and a password, as an OAuth2 form or as JSON."""
    if transport == "cookie":
        iam.csrf.check_sign_in(header_map(request.scope))
    given = await read_json_or_form(request, JsonLogin, Login)
    name = given.username if isinstance(given, Login) else given.email
    signed_in = await iam.users.login(name, given.password.get_secret_value(), device)
    return token_response(iam, response, signed_in, transport)


@router.post(
    "/refresh",
    responses=refusals(
        _401="REFRESH_TOKEN_INVALID, REFRESH_TOKEN_EXPIRED, REFRESH_TOKEN_REUSED",
        _403="CSRF_FAILED",
        _409="REFRESH_IN_PROGRESS",
        _422=_INVALID,
        _503=_AWAY,
    ),
    openapi_extra=body_schema(json=RefreshRequest),
)
async def refresh(request: Request, iam: Services, device: CurrentDevice, response: Response) -> TokenResponse:
    """Exchange a refresh token, from the body, the header `X-Refresh-Token` or the cookie, for new tokens."""
    given = refresh_credential(request.scope, iam.cookies, _text(await read_json(request, RefreshRequest)))
    if given is None:
        raise unauthorized(IamReason.REFRESH_TOKEN_INVALID, "There is no refresh token in this request.")
    token = given.token.decode("latin-1")
    if given.is_cookie:
        iam.csrf.check(header_map(request.scope), iam.users.session_id_of(token))
    signed_in = await iam.users.refresh(token, device)
    return token_response(iam, response, signed_in, "cookie" if given.is_cookie else "bearer")


@router.post(
    "/logout",
    status_code=204,
    responses=refusals(_403="CSRF_FAILED", _422=_INVALID, _503=_AWAY),
    openapi_extra=body_schema(json=Logout),
)
async def logout(request: Request, iam: Services, device: CurrentDevice, response: Response) -> None:
    """End the session of the tokens that are sent; without any that counts it is over already."""
    body = await read_json(request, Logout)
    access = access_credential(request.scope, iam.cookies)
    refresh_token = refresh_credential(request.scope, iam.cookies, None)
    cookies = [given for given in (access, refresh_token) if given is not None]
    if cookies and all(given.is_cookie for given in cookies):
        named = None if refresh_token is None else iam.users.session_id_of(refresh_token.token.decode("latin-1"))
        iam.csrf.check(header_map(request.scope), named)
        clear_cookies(iam, response)
    session = await _session(request, iam, access is not None, refresh_token.token if refresh_token else None)
    if session is not None:
        await iam.users.sign_out(*session, device, everywhere=body.all)


async def _session(
    request: Request, iam: Iam, has_access_token: bool, refresh_token: bytes | None
) -> tuple[str, str] | None:
    """Return the session and the user of an access token that is believed, else of a refresh token of ours."""
    user = request.state.user
    if user is None and has_access_token:
        user = await _believed(request, iam)
    if user is not None and user.session_id is not None:
        return user.session_id, user.id
    found = await iam.users.session_of(refresh_token.decode("latin-1")) if refresh_token else None
    return None if found is None else (found.id, found.user_id)


async def _believed(request: Request, iam: Iam) -> AuthenticatedUser | None:
    """
    Ask once more who has sent an access token that the middleware did not believe.

    On a public path it takes an outage for nobody; but no session must be called over that goes on.
    """
    try:
        return await iam.backend.identify(request.scope, header_map(request.scope))
    except (UnauthenticatedError, PermissionDeniedError):
        return None


def _text(body: RefreshRequest) -> str | None:
    return None if body.refresh_token is None else body.refresh_token.get_secret_value()


@router.get("/token/verify", **protected())
async def verify_token(request: Request, caller: Caller) -> TokenInfo:
    """Tell what the access token says, and that it is still good."""
    claims = cast("AccessClaims | None", getattr(request.state, CLAIMS, None))
    if claims is None:  # the test user of the development bypass has no token
        raise unauthenticated(AuthReason.AUTH_REQUIRED, "There is no access token in this request.")
    return TokenInfo(
        user_id=caller.id,
        email=caller.email,
        is_verified=caller.is_verified,
        is_superuser=caller.is_superuser,
        is_active=caller.is_active,
        session_id=claims.session_id,
        expires_at=datetime.fromtimestamp(claims.expires_at, UTC),
    )


@router.post("/verify", responses=refusals(_400="VERIFY_USER_BAD_TOKEN", _422=_INVALID, _429=_LIMITED, _503=_AWAY))
async def verify(body: TokenRequest, iam: Services, device: CurrentDevice) -> UserRead:
    """Verify an address with the token that was mailed to it; the same token again answers the same."""
    return await user_read(iam, await iam.registration.verify(body.token.get_secret_value(), device))


@router.post("/forgot-password", status_code=202, responses=refusals(_422=_INVALID, _429=_LIMITED, _503=_AWAY))
async def forgot_password(body: EmailRequest, iam: Services, device: CurrentDevice) -> Empty:
    """Ask for a link to choose a new password; the answer is the same for every address."""
    await iam.accounts.forgot_password(body.email, device)
    return Empty()


@router.post("/request-verify-token", status_code=202, responses=refusals(_422=_INVALID, _429=_LIMITED, _503=_AWAY))
async def request_verify_token(body: EmailRequest, iam: Services, device: CurrentDevice) -> Empty:
    """Ask for the link to verify an address again; the answer is the same for every address."""
    await iam.registration.request_verification(body.email, device)
    return Empty()


@router.post(
    "/reset-password",
    status_code=204,
    responses=refusals(
        _400="RESET_PASSWORD_BAD_TOKEN, RESET_PASSWORD_INVALID_PASSWORD", _429=_LIMITED, _422=_INVALID, _503=_AWAY
    ),
)
async def reset_password(body: ResetPassword, iam: Services, device: CurrentDevice) -> None:
    """Choose a new password with the token that came by mail; every session ends."""
    await iam.accounts.reset_password(body.token.get_secret_value(), body.password.get_secret_value(), device)


@router.post(
    "/change-password",
    status_code=204,
    **protected(
        _400="UPDATE_USER_INVALID_PASSWORD", _403="REAUTH_FAILED, EMAIL_NOT_VERIFIED", _422=_INVALID, _429=_LIMITED
    ),
)
async def change_password(body: ChangePassword, iam: Services, caller: Verified, device: CurrentDevice) -> None:
    """Change the password; every other session ends."""
    current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
    await iam.accounts.change_password(caller, current, new, device)


def make_router(*, is_compatible: bool) -> APIRouter:
    """Return the routes; older clients may register with more fields, none of which counts."""
    made = APIRouter()
    made.include_router(router)
    made.add_api_route(
        "/auth/register",
        register_compat if is_compatible else register,
        methods=["POST"],
        name="register",
        status_code=201,
        response_model=UserRead | Empty,
        responses={
            201: {"model": UserRead},
            202: {"model": Empty, "description": "Accepted, and nothing more is told"},
            **refusals(
                _400="REGISTER_USER_ALREADY_EXISTS, REGISTER_INVALID_PASSWORD",
                _403="REGISTRATION_DISABLED",
                _409="REGISTER_USER_ALREADY_EXISTS for older clients",
                _422=_INVALID,
                _429=_LIMITED,
                _503=_AWAY,
            ),
        },
        dependencies=[Depends(never_stored)],
        tags=["auth"],
    )
    return made
