from typing import Annotated

from fastapi import Request, APIRouter, Depends

from mysingle.auth import get_current_active_verified_user
from mysingle.auth import User

router = APIRouter()


@router.get("/orders")
async def orders(request: Request, limit: int = 10):
    user = get_current_active_verified_user(request)
    return [user.email, limit]


def only_a_dependency(user: Annotated[User, Depends(get_current_active_verified_user)]):
    return user
