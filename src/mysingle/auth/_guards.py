"""Who may do something: each guard is a FastAPI dependency and a decorator, and says no when in doubt."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from functools import wraps
from typing import Any, Protocol, TypeVar, cast, overload

from starlette.requests import HTTPConnection

from mysingle._kernel.context import current_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.auth._backends import no_caller
from mysingle.auth._deps import get_current_user, require_active, require_superuser, require_verified
from mysingle.auth.errors import AuthReason, forbidden

__all__ = [
    "Guard",
    "Permissions",
    "admin_only",
    "authenticated",
    "require_owner",
    "require_permissions",
    "require_roles",
    "resource_owner_required",
    "verified_only",
]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
OwnerOf = Callable[..., object]
Arguments = Mapping[str, object]
Check = Callable[[AuthenticatedUser, Arguments], Coroutine[Any, Any, None] | None]

_SIGNATURE = inspect.Signature(
    [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)]
)
_NEEDS_ASYNC = "an async owner function needs an async endpoint"


class Guard(Protocol):
    """
    What `require_roles` and its like return.

    As a dependency, `Depends(guard)`, it gives the caller. As a decorator it stands below the route's decorator, on
    a sync or async endpoint, with or without a request among its parameters.
    """

    @overload
    def __call__(self, request: HTTPConnection, /) -> Awaitable[AuthenticatedUser]: ...

    @overload
    def __call__(self, request: Endpoint, /) -> Endpoint: ...

    def __call__(self, request: Any, /) -> Any:
        """Judge the caller of a request, or guard an endpoint."""


class Permissions:
    """
    What the holders of each role may do, as a service says it: role to permissions, and nothing that is not listed.

    Raises:
        TypeError: a role whose permissions are not a collection of names.
    """

    __slots__ = ("_granted",)

    def __init__(self, granted: Mapping[str, Collection[str]]) -> None:
        for role, names in granted.items():
            if isinstance(names, str) or not all(map(_is_name, (role, *names))):
                raise TypeError(f"the permissions of role {role!r} must be a collection of names")
        self._granted = {role: frozenset(names) for role, names in granted.items()}

    def of(self, roles: Iterable[str]) -> frozenset[str]:
        """Return what these roles may do, all together."""
        return frozenset().union(*(self._granted.get(role, frozenset()) for role in roles))

    def __contains__(self, permission: object) -> bool:
        """Tell whether any role has the permission."""
        return any(permission in names for names in self._granted.values())


def require_roles(*roles: str, or_superuser: bool = False) -> Guard:
    """
    Return a guard for callers who are active and hold at least one of the roles; nobody else, also no superuser.

    Args:
        roles: names as they stand in `AuthenticatedUser.roles`.
        or_superuser: let superusers pass as well.

    Raises:
        TypeError: no role, or something that is no name.
    """
    wanted = _names("require_roles", roles)

    def check(user: AuthenticatedUser, arguments: Arguments) -> None:
        _decide(user, is_allowed=not wanted.isdisjoint(user.roles), or_superuser=or_superuser)

    return _guard(check)


def require_permissions(*permissions: str, granted: Permissions, or_superuser: bool = False) -> Guard:
    """
    Return a guard for callers who are active and whose roles have all of the permissions.

    Args:
        permissions: names that `granted` lists.
        granted: what each role may do in this service.
        or_superuser: let superusers pass as well.

    Raises:
        TypeError: no permission, or something that is no name. ValueError: a permission that no role has.
    """
    wanted = _names("require_permissions", permissions)
    unknown = sorted(name for name in wanted if name not in granted)
    if unknown:
        raise ValueError(f"no role has the permission {', '.join(unknown)}")

    def check(user: AuthenticatedUser, arguments: Arguments) -> None:
        _decide(user, is_allowed=wanted <= granted.of(user.roles), or_superuser=or_superuser)

    return _guard(check)


def require_owner(owner: str | OwnerOf, *, or_superuser: bool = False) -> Guard:
    """
    Return a guard for the active caller to whom a thing belongs.

    Args:
        owner: the parameter that holds the owner's id, or a function that returns it (sync, or async on an async
            endpoint). The function gets the endpoint's arguments that it names; as a dependency, path parameters.
        or_superuser: let superusers pass as well.

    Raises:
        TypeError: neither a name nor a function.
    """
    owner_of = _parameter(owner) if isinstance(owner, str) and owner else owner
    if not callable(owner_of):
        raise TypeError("require_owner needs the name of a parameter, or a function that returns the owner's id")
    wanted = _parameter_names(owner_of)

    def check(user: AuthenticatedUser, arguments: Arguments) -> Coroutine[Any, Any, None] | None:
        found = owner_of(**(arguments if wanted is None else {name: arguments.get(name) for name in wanted}))
        if inspect.isawaitable(found):
            return _decide_later(user, found, or_superuser)
        _decide(user, is_allowed=_is_owner(user, found), or_superuser=or_superuser)
        return None

    return _guard(check, is_async=inspect.iscoroutinefunction(owner_of))


def _parameter(name: str) -> OwnerOf:
    return lambda **arguments: arguments.get(name)


def _parameter_names(function: OwnerOf) -> tuple[str, ...] | None:
    """Return the arguments that a function asks for by name; None when it takes them all."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(parameter.name for parameter in parameters)


def _is_owner(user: AuthenticatedUser, owner: object) -> bool:
    """Compare as text in lower case, because database ids spell the same digits in either case."""
    return owner is not None and str(owner).lower() == user.id


async def _decide_later(user: AuthenticatedUser, found: Awaitable[object], or_superuser: bool) -> None:
    _decide(user, is_allowed=_is_owner(user, await found), or_superuser=or_superuser)


def _decide(user: AuthenticatedUser, *, is_allowed: bool, or_superuser: bool) -> None:
    if not is_allowed and not (or_superuser and user.is_superuser):
        raise forbidden(AuthReason.AUTHORIZATION_FAILED, "You may not do this.")


def _names(function: str, given: tuple[str, ...]) -> frozenset[str]:
    if not given or not all(map(_is_name, given)):
        raise TypeError(f'{function} needs at least one name, each as a text of its own: {function}("trader")')
    return frozenset(given)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _guard(check: Check, *, is_async: bool = False) -> Guard:
    async def judge(request: HTTPConnection) -> AuthenticatedUser:
        user = require_active(get_current_user(request))
        waits = check(user, request.path_params)
        if waits is not None:
            await waits
        return user

    def guard(request: HTTPConnection | Callable[..., Any]) -> object:
        return judge(request) if isinstance(request, HTTPConnection) else _guarded(request, check, is_async=is_async)

    guard.__signature__ = _SIGNATURE  # type: ignore[attr-defined]  # what FastAPI reads of a dependency
    return cast("Guard", _marked_as_coroutine(guard))


def _marked_as_coroutine(function: Callable[..., object]) -> Callable[..., object]:
    """Let FastAPI await the guard on the loop; it runs what it takes for a sync dependency in a thread."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    mark = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001  # all there is in 3.11
    function._is_coroutine = mark  # type: ignore[attr-defined]  # noqa: SLF001
    return function


def _guarded(endpoint: Callable[..., Any], check: Check, *, is_async: bool) -> Callable[..., Any]:
    if not callable(endpoint):
        raise TypeError("a guard stands on an endpoint, or in Depends(...)")
    signature = inspect.signature(endpoint)

    if inspect.iscoroutinefunction(endpoint):

        @wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            waits = check(*_called(signature, args, kwargs))
            if waits is not None:
                await waits
            return await cast("Coroutine[Any, Any, Any]", endpoint(*args, **kwargs))

        return guarded
    if is_async:
        raise TypeError(_NEEDS_ASYNC)

    @wraps(endpoint)
    def guarded_in_thread(*args: Any, **kwargs: Any) -> Any:
        waits = check(*_called(signature, args, kwargs))
        if waits is not None:
            waits.close()
            raise TypeError(_NEEDS_ASYNC)
        return endpoint(*args, **kwargs)

    return guarded_in_thread


def _called(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[AuthenticatedUser, Arguments]:
    """Return the caller, by the request if the endpoint has one, and the endpoint's arguments by name."""
    arguments = signature.bind(*args, **kwargs).arguments if args else kwargs
    for value in arguments.values():
        if isinstance(value, HTTPConnection):
            return require_active(get_current_user(value)), {**value.path_params, **arguments}
    user = current_context().user
    if user is None:
        raise no_caller()
    return require_active(user), arguments


def _flag_guard(require: Callable[[AuthenticatedUser], AuthenticatedUser]) -> Guard:
    def check(user: AuthenticatedUser, arguments: Arguments) -> None:
        require(user)

    return _guard(check)


authenticated = _flag_guard(require_active)
"""Guard for callers who are active."""

verified_only = _flag_guard(require_verified)
"""Guard for callers who are active and verified."""

admin_only = _flag_guard(require_superuser)
"""Guard for superusers who are active."""

resource_owner_required = require_owner
"""Older name of `require_owner`."""
