from fastapi import APIRouter, Depends

from mysingle.auth import get_current_user
from mysingle.auth.models import User

router = APIRouter()


@router.get("/items")
async def list_items(user: User = Depends(get_current_user)) -> list[str]:
    """Return the items of the caller."""
    return [str(user.id)]


@router.post("/items/{item_id}")
async def change(
    item_id: str,
    name: str = "x",
    user: User = Depends(get_current_user),  # who
) -> str:
    return f"{item_id} {name} {user.id}"
