from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.clients import BaseServiceClient


def use(client: BaseServiceClient, other: "BaseServiceClient | None" = None) -> str:
    return client.service_name
