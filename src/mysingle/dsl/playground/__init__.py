"""The playground: a page on which strategies are written, run and compared, and the routes behind it."""

from mysingle._kernel.extras import lazy_exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mysingle.dsl.playground.router import PAGE_PATH, create_playground_router

__all__ = ["PAGE_PATH", "create_playground_router"]

__getattr__, __dir__ = lazy_exports(__name__, dict.fromkeys(__all__, ".router"), extra="dsl")
