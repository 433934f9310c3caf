from fastapi import APIRouter, Depends, Request

from mysingle.auth import get_current_active_verified_user
from mysingle.auth import get_current_active_superuser, get_current_user_optional

router = APIRouter(dependencies=[Depends(get_current_active_verified_user)])


@router.get("/me")
def me(request: Request):
    user = get_current_active_verified_user(request)
    return {"id": str(user.id), "path": request.url.path}


@router.get("/maybe")
def maybe(request: Request):
    user = get_current_user_optional(request)
    return {"known": user is not None}


@router.delete("/all")
def drop(request: str, http_request: Request):
    admin = get_current_active_superuser(http_request)
    return {"by": str(admin.id), "request": request}
