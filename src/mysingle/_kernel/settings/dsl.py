"""The settings of the strategy language: its cache, its signatures, and what it runs with."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from mysingle._kernel.settings.types import Flag, SecretList

__all__ = ["DslSettings"]


class DslSettings(BaseSettings):
    """How strategies are compiled, kept and run."""

    DSL_SIGNING_KEYS: SecretList = ()
    DSL_CACHE_TTL_SECONDS: Annotated[int, Field(ge=60, le=86_400)] = 3600
    DSL_CACHE_WARMING_TTL_SECONDS: Annotated[int, Field(ge=60, le=604_800)] = 86400
    DSL_CACHE_KEY_PREFIX: str = "dsl:bytecode"
    DSL_COMPAT_MODE: Literal["research", "strict"] = "research"
    DSL_PROFILE: Literal["standard", "mysingle-1"] = "standard"
    DSL_WORKERS: Annotated[int, Field(ge=0, le=256)] = 0
    DSL_PLAYGROUND_ENABLED: Flag = False
