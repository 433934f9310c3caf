from fastapi import APIRouter, Depends, Request

from mysingle.auth.deps import current_active_superuser, current_active_user, current_user_optional

router = APIRouter(dependencies=[Depends(current_active_user)])


@router.get("/me")
def me(request: Request, user=Depends(current_active_user)):
    return {"id": str(user.id), "path": request.url.path}


@router.get("/maybe")
def maybe(*, user=Depends(current_user_optional)):
    return {"known": user is not None}


@router.delete("/all")
def drop(request: str, admin=Depends(current_active_superuser())):
    return {"by": str(admin.id), "request": request}
