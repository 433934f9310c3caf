from typing import Annotated

from fastapi import APIRouter, Depends

from mysingle.auth.dependencies import get_current_active_verified_user
from mysingle.auth.models import User

router = APIRouter()


@router.get("/orders")
async def orders(user: Annotated[User, Depends(get_current_active_verified_user)], limit: int = 10):
    return [user.email, limit]


def only_a_dependency(user: Annotated[User, Depends(get_current_active_verified_user)]):
    return user
