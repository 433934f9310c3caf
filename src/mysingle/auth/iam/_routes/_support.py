"""What every route needs: the use cases, the caller, the device, and the refusals that the API document names."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from mysingle._kernel.asgi import header_map
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.problems import MEDIA_TYPE
from mysingle.auth._deps import get_current_active_user, get_current_active_verified_user, get_current_user
from mysingle.auth.iam._container import Iam
from mysingle.auth.iam._errors import IamReason, forbidden, unavailable
from mysingle.auth.iam._values import Device

__all__ = [
    "Active",
    "Admin",
    "Caller",
    "CurrentDevice",
    "Services",
    "Verified",
    "body_schema",
    "never_stored",
    "protected",
    "read_json",
    "read_json_or_form",
    "refusals",
]

J = TypeVar("J", bound=BaseModel)
F = TypeVar("F", bound=BaseModel)

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_MAX_BODY_BYTES = 16 * 1024  # the longest login is half of it, and a form takes a millisecond for every three KiB
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]


async def _iam(request: Request) -> Iam:
    iam = cast("Iam", request.app.state.iam)
    if not iam.tools.background.is_open:
        raise unavailable("The service has not been started: its lifespan has to run.")
    return iam


async def _device(request: Request) -> Device:
    address = request.client.host if request.client else None
    return Device(ip=address, user_agent=request.headers.get("user-agent"))


async def _caller(request: Request) -> AuthenticatedUser:
    return get_current_user(request)


async def _active(request: Request) -> AuthenticatedUser:
    return get_current_active_user(request)


async def _verified(request: Request) -> AuthenticatedUser:
    return get_current_active_verified_user(request)


async def _admin(request: Request) -> AuthenticatedUser:
    user = get_current_active_user(request)
    if not user.is_superuser:
        raise forbidden(IamReason.AUTHORIZATION_FAILED, "This needs a superuser.")
    return user


async def never_stored(response: Response) -> None:
    """Keep an answer out of every cache."""
    response.headers["Cache-Control"] = "no-store"


Services = Annotated[Iam, Depends(_iam)]
CurrentDevice = Annotated[Device, Depends(_device)]
Caller = Annotated[AuthenticatedUser, Depends(_caller)]
Active = Annotated[AuthenticatedUser, Depends(_active)]
Verified = Annotated[AuthenticatedUser, Depends(_verified)]
Admin = Annotated[AuthenticatedUser, Depends(_admin)]


def refusals(**reasons: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: `_401="REFRESH_TOKEN_INVALID, ..."` names what a status can mean."""
    return {int(status.removeprefix("_")): {"description": text, **_PROBLEM} for status, text in reasons.items()}


def protected(**reasons: str) -> dict[str, Any]:
    """Return the options of a route that needs a caller: its refusals, those of authentication, and the schemes."""
    known = {
        "_401": "AUTH_REQUIRED, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED",
        "_403": "USER_INACTIVE, CSRF_FAILED",
        "_503": "AUTH_TEMPORARILY_UNAVAILABLE",
    }
    merged = {status: ", ".join(filter(None, (reasons.get(status), text))) for status, text in known.items()}
    return {"responses": refusals(**(reasons | merged)), "openapi_extra": {"security": _SECURITY}}


def body_schema(**models: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads its body itself; the names are `json` and `form`."""
    media = {"json": _JSON, "form": _FORM}
    content = {media[name]: {"schema": model.model_json_schema()} for name, model in models.items()}
    return {"requestBody": {"content": content, "required": "form" in models}}


async def read_json(request: Request, model: type[J]) -> J:
    """
    Read a body of JSON; no body at all is an empty object.

    Raises:
        RequestValidationError: a 422, as with a body that FastAPI reads itself.
    """
    return await _read(request, model, lambda raw: from_json(raw or b"{}"))


async def read_json_or_form(request: Request, json: type[J], form: type[F]) -> J | F:
    """
    Read a body of JSON or a form, as its type says.

    Raises:
        RequestValidationError: a 422, as with a body that FastAPI reads itself.
    """
    media_type = header_map(request.scope).get(b"content-type", b"").split(b";")[0].strip().lower()
    return await (_read(request, form, _fields) if media_type == _FORM.encode() else read_json(request, json))


async def _read(request: Request, model: type[J], parse: Callable[[bytes], Any]) -> J:
    raw = await request.body()
    if len(raw) > _MAX_BODY_BYTES:
        problem = {"loc": ("body",), "msg": f"Input should have at most {_MAX_BODY_BYTES} bytes", "type": "too_long"}
        raise RequestValidationError([problem])
    try:
        return model.model_validate(parse(raw))
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from None
    except ValueError:
        problem = {"loc": ("body",), "msg": "Input should be JSON, or a form in UTF-8", "type": "unreadable"}
        raise RequestValidationError([problem]) from None


def _fields(raw: bytes) -> dict[str, str]:
    pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field is repeated")
    return dict(pairs)
