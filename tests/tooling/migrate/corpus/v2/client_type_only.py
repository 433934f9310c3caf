from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mysingle.clients import BaseGrpcClient


def use(client: BaseGrpcClient, other: "BaseGrpcClient | None" = None) -> str:
    return client.service_name
