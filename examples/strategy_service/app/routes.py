"""External routes: what users do. Internal route: what other services trigger."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.market_data import MarketDataClient
from app.models import Strategy, StrategyIn, StrategyOut, StrategyPage
from app.programs import Programs
from mysingle.auth import get_current_active_verified_user
from mysingle.core import get_logger
from mysingle.core.config import settings
from mysingle.core.errors import NotFoundError
from mysingle.database import JsonCodec, UserRepository, create_service_cache

router = APIRouter(prefix="/strategies", tags=["strategies"])
cache = create_service_cache("strategy", settings.REDIS_DB_STRATEGY, codec=JsonCodec(model=StrategyOut))
programs = Programs()
log = get_logger(__name__)


class Started(BaseModel):
    """The answer of the internal start route; the program needs `warm_up` bars before its first decision."""

    id: str
    status: str
    warm_up: int


def _key(user_id: str, strategy_id: str) -> str:
    """Return the key of one user's view: what a stranger asks for never meets what the owner asks for."""
    return f"{user_id}:{strategy_id}"


@router.post("", status_code=201)
async def create_strategy(body: StrategyIn, request: Request) -> StrategyOut:
    """Create a strategy of the caller; a source that does not compile is a 422 with everything that is wrong."""
    user = get_current_active_verified_user(request)
    program = await programs.compile(body.source)
    strategy = await Strategy(user_id=user.id, **body.model_dump()).insert()
    await programs.keep(str(strategy.id), program)
    log.info("strategy.created", strategy_id=str(strategy.id))
    return StrategyOut.model_validate(strategy)


@router.get("")
async def list_strategies(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> StrategyPage:
    """List the caller's strategies, oldest first; `cursor` continues after the last one seen."""
    user = get_current_active_verified_user(request)
    page = await UserRepository(Strategy, user).page(limit=limit, cursor=cursor)
    items = [StrategyOut.model_validate(strategy) for strategy in page.items]
    return StrategyPage(items=items, next_cursor=page.next_cursor)


@router.get("/{strategy_id}")
async def read_strategy(strategy_id: str, request: Request) -> StrategyOut:
    """Read one strategy, from the cache when it is there."""
    user = get_current_active_verified_user(request)

    async def load() -> StrategyOut:
        return StrategyOut.model_validate(await Strategy.require_owned(strategy_id, user))

    return await cache.get_or_set(_key(user.id, strategy_id), load, ttl=600)


@router.get("/{strategy_id}/closes")
async def read_closes(
    strategy_id: str, request: Request, limit: Annotated[int, Query(ge=1, le=5_000)] = 250
) -> list[float]:
    """Read the closing prices of a strategy's symbol, from the market data service."""
    user = get_current_active_verified_user(request)
    strategy = await Strategy.require_owned(strategy_id, user)
    async with MarketDataClient() as market_data:
        return await market_data.closes(strategy.symbol, limit)


@router.put("/{strategy_id}")
async def update_strategy(strategy_id: str, body: StrategyIn, request: Request) -> StrategyOut:
    """Replace what a user may change."""
    user = get_current_active_verified_user(request)
    strategy = await Strategy.require_owned(strategy_id, user)
    program = await programs.compile(body.source)
    await strategy.set(body.model_dump())
    await programs.keep(strategy_id, program)
    await cache.delete(_key(user.id, strategy_id))
    return StrategyOut.model_validate(strategy)


@router.delete("/{strategy_id}", status_code=204)
async def delete_strategy(strategy_id: str, request: Request) -> Response:
    """Delete one strategy."""
    user = get_current_active_verified_user(request)
    if not await Strategy.delete_owned(strategy_id, user):
        raise NotFoundError("Strategy not found")
    await cache.delete(_key(user.id, strategy_id))
    await programs.forget(strategy_id)
    return Response(status_code=204)


@router.post("/{strategy_id}/start")
async def start_strategy(strategy_id: str, request: Request) -> Started:
    """Start a strategy (internal: the gateway does not route it)."""
    user = get_current_active_verified_user(request)
    strategy = await Strategy.require_owned(strategy_id, user)
    program = await programs.load(strategy_id, strategy.source)
    await strategy.set({"status": "running"})
    await cache.delete(_key(user.id, strategy_id))
    log.info("strategy.started", strategy_id=strategy_id)
    return Started(id=strategy_id, status=strategy.status, warm_up=int(program.warmup().first_valid))
