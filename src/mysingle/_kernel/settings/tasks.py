"""The settings of background tasks."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings

from mysingle._kernel.settings.types import Lifetime

__all__ = ["TaskSettings"]


class TaskSettings(BaseSettings):
    """Bounds of background tasks; the broker and the results are two of the Redis databases."""

    TASKS_TIME_LIMIT_SECONDS: Annotated[int, Field(ge=1, le=86_400)] = 1_800
    TASKS_PER_PROCESS: PositiveInt = 1_000
    TASKS_RESULT_SECONDS: Lifetime = 86_400
