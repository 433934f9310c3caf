"""`/oauth2`: sign-in with other providers, and linking one of them to an account."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from mysingle._kernel.asgi import header_map
from mysingle.auth.iam._accounts import is_recent
from mysingle.auth.iam._container import Iam
from mysingle.auth.iam._cookies import cookie_value
from mysingle.auth.iam._credentials import access_credential
from mysingle.auth.iam._errors import IamReason, forbidden
from mysingle.auth.iam._oauth.flow import CameBack, Outcome, Started
from mysingle.auth.iam._oauth.schemas import AuthorizationUrl, Callback
from mysingle.auth.iam._oauth.states import STATE_SECONDS
from mysingle.auth.iam._routes._answers import Transport, set_cookies, token_response, user_read
from mysingle.auth.iam._routes._support import (
    Active,
    CurrentDevice,
    Services,
    body_schema,
    never_stored,
    protected,
    read_json_or_form,
    refusals,
)
from mysingle.auth.iam._schemas import TokenResponse, UserRead

__all__ = ["router"]

_SCOPE = r"^[\x21\x23-\x5B\x5D-\x7E]{1,128}$"
_COOKIE = "oauth-"
_COOKIE_ID = 12
_HTML = "text/html"

Responses: TypeAlias = dict[int | str, dict[str, Any]]

_AWAY = "AUTH_TEMPORARILY_UNAVAILABLE, MONGODB_UNAVAILABLE"
_STARTS = {
    "_400": "OAUTH_INVALID_REDIRECT",
    "_404": "OAUTH_UNKNOWN_PROVIDER",
    "_422": "VALIDATION_FAILED",
    "_429": "RATE_LIMITED",
    "_502": "OAUTH_PROVIDER_ERROR",
}
_ENDS = {status: reasons for status, reasons in _STARTS.items() if status != "_429"} | {
    "_400": "OAUTH_INVALID_STATE, OAUTH_INVALID_ID_TOKEN, OAUTH_NOT_AVAILABLE_EMAIL"
}
_AWAY_TO_PROVIDER: Responses = {302: {"description": "A page that is opened here is sent to the provider."}}
_ON_TO_REDIRECT: Responses = {303: {"description": "The browser goes on to the redirect that was asked for."}}
_SIGNS_IN = _ON_TO_REDIRECT | refusals(
    **_ENDS,
    _401="LOGIN_BAD_CREDENTIALS",
    _403="LOGIN_USER_NOT_VERIFIED, REGISTRATION_DISABLED",
    _409="OAUTH_ACCOUNT_EXISTS, OAUTH_ALREADY_LINKED",
    _503=_AWAY,
)

RedirectUrl = Annotated[str | None, Query(max_length=2048, description="one of OAUTH_REDIRECT_URLS, exactly")]
Scopes = Annotated[list[Annotated[str, Query(pattern=_SCOPE)]] | None, Query(max_length=20)]

router = APIRouter(prefix="/oauth2/{provider}", tags=["oauth2"], dependencies=[Depends(never_stored)])


async def _from_query(
    code: Annotated[str | None, Query(max_length=4096)] = None,
    state: Annotated[str | None, Query(max_length=256)] = None,
    error: Annotated[str | None, Query(max_length=256)] = None,
) -> Callback:
    return Callback(code=code, state=state, error=error)


FromQuery = Annotated[Callback, Depends(_from_query)]


@router.get(
    "/authorize", response_model=AuthorizationUrl, responses=_AWAY_TO_PROVIDER | refusals(**_STARTS, _503=_AWAY)
)
async def authorize(
    provider: str,
    request: Request,
    iam: Services,
    device: CurrentDevice,
    redirect_url: RedirectUrl = None,
    scopes: Scopes = None,
) -> Response:
    """Begin a sign-in: the answer says where to send the browser; a page that is opened there is sent at once."""
    started = await iam.oauth.start(provider, device, redirect_url=redirect_url, scopes=scopes or ())
    return _send_away(iam, request, started)


@router.get("/callback", response_model=TokenResponse | UserRead, responses=_SIGNS_IN)
async def callback(
    provider: str,
    request: Request,
    iam: Services,
    device: CurrentDevice,
    response: Response,
    given: FromQuery,
    transport: Annotated[Transport, Query()] = "bearer",
) -> TokenResponse | UserRead | Response:
    """End a sign-in at the provider; the browser goes on to the redirect that was asked for, if any."""
    return await _finish(provider, given, request, iam, device, response, transport)


@router.post(
    "/callback",
    response_model=TokenResponse | UserRead,
    responses=_SIGNS_IN,
    openapi_extra=body_schema(json=Callback, form=Callback),
)
async def post_callback(
    provider: str,
    request: Request,
    iam: Services,
    device: CurrentDevice,
    response: Response,
    transport: Annotated[Transport, Query()] = "bearer",
) -> TokenResponse | UserRead | Response:
    """End a sign-in with what the page at the front has received."""
    given = await read_json_or_form(request, Callback, Callback)
    return await _finish(provider, given, request, iam, device, response, transport)


_LINK_STARTS = protected(**_STARTS, _403="REAUTH_REQUIRED", _503="MONGODB_UNAVAILABLE")
_LINK_STARTS["responses"] |= _AWAY_TO_PROVIDER


@router.get("/link", response_model=AuthorizationUrl, **_LINK_STARTS)
async def link(
    provider: str,
    request: Request,
    iam: Services,
    caller: Active,
    device: CurrentDevice,
    redirect_url: RedirectUrl = None,
    scopes: Scopes = None,
) -> Response:
    """Begin to link an account to the caller, who has signed in within the last ten minutes."""
    _require_own_page(iam, request)
    if not is_recent(caller):
        raise forbidden(IamReason.REAUTH_REQUIRED, "Sign in again first.")
    started = await iam.oauth.start(provider, device, redirect_url=redirect_url, scopes=scopes or (), caller=caller)
    return _send_away(iam, request, started)


_LINKS = protected(**_ENDS, _403="REAUTH_REQUIRED", _409="OAUTH_ALREADY_LINKED")
_LINKS["openapi_extra"] = _LINKS["openapi_extra"] | body_schema(json=Callback, form=Callback)


@router.post("/link/callback", **_LINKS)
async def link_callback(
    provider: str, request: Request, iam: Services, caller: Active, device: CurrentDevice, response: Response
) -> UserRead:
    """End the linking that the caller has begun."""
    if not is_recent(caller):
        raise forbidden(IamReason.REAUTH_REQUIRED, "Sign in again first.")
    given = await read_json_or_form(request, Callback, Callback)
    back = _came_back(iam, request, given)
    user = await iam.oauth.finish_link(provider, back, device, caller)
    _forget(iam, response, back.state)
    return await user_read(iam, user)


async def _finish(
    provider: str,
    given: Callback,
    request: Request,
    iam: Iam,
    device: CurrentDevice,
    response: Response,
    transport: Transport,
) -> TokenResponse | UserRead | Response:
    back = _came_back(iam, request, given)
    outcome = await iam.oauth.finish(provider, back, device, is_browser=_wants_html(request))
    if outcome.redirect_url is not None:
        return _go_on(iam, outcome, back.state)
    _forget(iam, response, back.state)
    if outcome.linked is not None:
        return await user_read(iam, outcome.linked)
    assert outcome.signed_in is not None
    return token_response(iam, response, outcome.signed_in, transport)


def _go_on(iam: Iam, outcome: Outcome, state: str | None) -> Response:
    """Send the browser on; tokens travel in cookies, never in an address."""
    answer = RedirectResponse(outcome.redirect_url or "", status_code=303, headers={"Cache-Control": "no-store"})
    if outcome.signed_in is not None:
        set_cookies(iam, answer, outcome.signed_in)
    _forget(iam, answer, state)
    return answer


def _send_away(iam: Iam, request: Request, started: Started) -> Response:
    answer: Response
    if _wants_html(request):
        answer = RedirectResponse(started.authorization_url, status_code=302)
    elif iam.settings.AUTH_COMPAT:
        answer = JSONResponse(started.authorization_url)
    else:
        answer = JSONResponse({"authorization_url": started.authorization_url})
    answer.headers["Cache-Control"] = "no-store"
    answer.headers.append("set-cookie", _cookie(iam, started.state, started.browser, STATE_SECONDS))
    return answer


def _require_own_page(iam: Iam, request: Request) -> None:
    """Refuse the page of another site: a GET carries the cookies from anywhere, and would link its account."""
    sent = access_credential(request.scope, iam.cookies)
    if sent is not None and sent.is_cookie:
        iam.csrf.check_sign_in(header_map(request.scope))


def _came_back(iam: Iam, request: Request, given: Callback) -> CameBack:
    browser = cookie_value(header_map(request.scope), _cookie_name(iam, given.state)) if given.state else None
    return CameBack(state=given.state, code=given.code, error=given.error, browser=browser)


def _forget(iam: Iam, response: Response, state: str | None) -> None:
    response.headers.append("set-cookie", _cookie(iam, state or "", "", 0))


def _cookie_name(iam: Iam, state: str | None) -> str:
    """Two sign-ins in one browser have a cookie each; over https no other host of the domain can set it."""
    prefix = "__Host-" if iam.cookies.is_secure else ""
    known = "".join(character for character in (state or "")[:_COOKIE_ID] if character.isalnum())
    return f"{prefix}{_COOKIE}{known}"


def _cookie(iam: Iam, state: str, value: str, max_age: int) -> str:
    # Lax: the provider sends the browser back from another site, with a GET of the whole page.
    secure = "; Secure" if iam.cookies.is_secure else ""
    return f"{_cookie_name(iam, state)}={value}; Path=/; Max-Age={max_age}{secure}; HttpOnly; SameSite=Lax"


def _wants_html(request: Request) -> bool:
    return _HTML in request.headers.get("accept", "")
