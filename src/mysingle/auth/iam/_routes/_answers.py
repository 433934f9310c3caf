"""How a user and a session look in an answer, with tokens in the body or in cookies."""

from collections.abc import Iterable, Sequence
from typing import Literal

from fastapi import Response

from mysingle.auth.iam._container import Iam
from mysingle.auth.iam._documents import AuthEvent, OAuthAccount
from mysingle.auth.iam._schemas import (
    ActivityEvent,
    ActivityList,
    LinkedAccount,
    LinkedAccountList,
    TokenResponse,
    UserInfo,
    UserRead,
)
from mysingle.auth.iam._users import SignedIn
from mysingle.auth.iam._values import UserView

__all__ = [
    "Transport",
    "activity_list",
    "clear_cookies",
    "linked_list",
    "set_cookies",
    "token_response",
    "user_read",
    "users_read",
]

Transport = Literal["bearer", "cookie"]


def token_response(iam: Iam, response: Response, signed_in: SignedIn, transport: Transport) -> TokenResponse:
    """Return the tokens of a session, or put them into cookies; nobody may store the answer."""
    response.headers["Cache-Control"] = "no-store"
    is_bearer = transport == "bearer"
    if not is_bearer:
        set_cookies(iam, response, signed_in)
    return TokenResponse(
        access_token=signed_in.access_token if is_bearer else None,
        refresh_token=signed_in.refresh_token if is_bearer else None,
        expires_in=signed_in.expires_in,
        refresh_expires_in=signed_in.refresh_expires_in,
        user_info=UserInfo.of(signed_in.user),
    )


def set_cookies(iam: Iam, response: Response, signed_in: SignedIn) -> None:
    """Put the tokens of a session into cookies, also of a redirect."""
    lines = iam.cookies.issue(
        access=signed_in.access_token,
        access_seconds=signed_in.expires_in,
        refresh=signed_in.refresh_token,
        refresh_seconds=signed_in.refresh_expires_in,
        csrf=iam.csrf.token(signed_in.session_id),
    )
    _append(response, lines)


def clear_cookies(iam: Iam, response: Response) -> None:
    """Make a browser forget its session."""
    _append(response, iam.cookies.clear())


def _append(response: Response, lines: tuple[str, ...]) -> None:
    for line in lines:
        response.headers.append("set-cookie", line)


async def user_read(iam: Iam, user: UserView) -> UserRead:
    """Return a user with the accounts at other providers."""
    return UserRead.of(user, oauth_accounts=_linked(await iam.accounts.linked(user.id)))


async def users_read(iam: Iam, users: Sequence[UserView]) -> list[UserRead]:
    """Return users with their accounts at other providers, however many there are with one look for all."""
    linked = await iam.administration.linked([user.id for user in users])
    return [UserRead.of(user, oauth_accounts=_linked(linked[user.id])) for user in users]


def linked_list(accounts: Iterable[OAuthAccount]) -> LinkedAccountList:
    """Return the accounts at other providers, without their tokens."""
    items = _linked(accounts)
    return LinkedAccountList(oauth_accounts=items, total_count=len(items))


def _linked(accounts: Iterable[OAuthAccount]) -> list[LinkedAccount]:
    return [
        LinkedAccount(oauth_name=item.provider, account_id=item.account_id, account_email=item.account_email)
        for item in accounts
    ]


def activity_list(events: Iterable[AuthEvent]) -> ActivityList:
    """Return what has happened to an account."""
    items = [
        ActivityEvent(
            at=item.created_at,
            kind=item.kind,
            ip=item.ip,
            user_agent=item.user_agent,
            session_id=item.session_id,
            correlation_id=item.correlation_id,
            detail=item.detail,
        )
        for item in events
    ]
    return ActivityList(items=items, total=len(items))
