from fastapi import APIRouter, Depends, HTTPException

from app.models import Order, OrderOut
from app.settings import settings
from mysingle.auth.deps import current_active_verified_user, get_current_active_superuser
from mysingle.auth.models import User
from mysingle.logging import get_logger

logger = get_logger(__name__)
router = APIRouter(prefix="/orders", tags=["orders"])


@router.post("", status_code=201)
async def place(symbol: str, user: User = Depends(current_active_verified_user)) -> OrderOut:
    """Place an order."""
    order = await Order(user_id=str(user.id), symbol=symbol).insert()
    logger.info("Order placed: %s", symbol, extra={"order_id": str(order.id)})
    return OrderOut.model_validate(order)


@router.get("")
async def orders(
    limit: int = 10,
    user: User = Depends(current_active_verified_user),
) -> list[OrderOut]:
    # the caller's own
    found = await Order.find(Order.user_id == str(user.id)).limit(min(limit, settings.PAGE_SIZE)).to_list()
    return [OrderOut.model_validate(order) for order in found]


@router.get("/all")
async def everything(admin: User = Depends(get_current_active_superuser)) -> dict[str, str]:
    return {"by": str(admin.id)}


@router.get("/{order_id}/strategy")
async def strategy(order_id: str, user: User = Depends(current_active_verified_user)):
    if settings.USE_GRPC_FOR_STRATEGY:
        # not there yet
        raise HTTPException(501)
    else:
        from app.clients import StrategyServiceClient

        return await StrategyServiceClient(None).get(order_id)
