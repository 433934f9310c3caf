from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.base import BaseDocument
    from mysingle.base.enums import TaskStatus


def first(items: list[BaseDocument]) -> BaseDocument:
    return items[0]


def state(item: BaseDocument) -> TaskStatus | None:
    return getattr(item, "state", None)
