from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.core.base import BaseDocument
from enum import StrEnum


# TODO(mysingle v2): TaskStatus was removed; define it in the service. See docs/how-to/migrate-from-v1.md#enums
class TaskStatus(StrEnum):
    pass


def first(items: list[BaseDocument]) -> BaseDocument:
    return items[0]


def state(item: BaseDocument) -> TaskStatus | None:
    return getattr(item, "state", None)
