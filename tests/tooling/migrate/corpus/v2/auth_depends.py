from fastapi import Request, APIRouter

from mysingle.auth import get_current_user

router = APIRouter()


@router.get("/items")
async def list_items(request: Request) -> list[str]:
    """Return the items of the caller."""
    user = get_current_user(request)
    return [str(user.id)]


@router.post("/items/{item_id}")
async def change(
    request: Request,
    item_id: str,
    name: str = "x",  # who
) -> str:
    user = get_current_user(request)
    return f"{item_id} {name} {user.id}"
