from mysingle.auth import get_current_user
from mysingle.core import get_logger
from mysingle.core.base import BaseDocument
from mysingle.database import create_user_cache

log = get_logger(__name__)
cache = create_user_cache()


class Item(BaseDocument): ...


def who(request) -> str:
    return get_current_user(request).id
