from fastapi import Request

from mysingle.auth import get_current_active_verified_user, get_current_user


async def who(request: Request) -> str:
    user = get_current_active_verified_user(request)
    return str(user.id)


async def name(request: Request) -> str:
    return get_current_user(request).email or ""
