"""Every limit of the language in one place; each violation names the limit, its value and the actual number."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

__all__ = ["LIMITS", "TIERS", "Limits", "ResourceLimits", "Tier", "UserQuota"]

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may be at most. The values are part of the language: they are the same on every machine."""

    source_bytes: int = 32 * 1024
    source_lines: int = 2_000
    tokens: int = 20_000
    nesting: int = 60
    identifier: int = 64
    string: int = 256
    integer: int = 2**53
    nodes: int = 4_096
    expression_depth: int = 60
    statement_depth: int = 40
    unroll: int = 2_000
    statements: int = 10_000
    compile_fuel: int = 200_000
    functions: int = 64
    call_depth: int = 8
    call_arguments: int = 32
    list_elements: int = 1_000
    members: int = 10_000
    window: int = 5_000
    parameters: int = 64
    plots: int = 64
    order_ids: int = 32
    order_events_per_bar: int = 32
    states: int = 64
    timeframes: int = 16
    bars: int = 5_000_000
    bar_fuel: int = 10_000
    container_bytes: int = 256 * 1024
    output_bytes: int = 64 * MEGABYTE
    power_exponent: int = 64
    power_base: int = 10**6


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What one run may use: gas is nominal nanoseconds from the op table, memory is live bytes."""

    gas: int
    memory_bytes: int


TIERS: Final[Mapping[str, Tier]] = {
    "in_process": Tier(gas=50_000_000, memory_bytes=256 * MEGABYTE),
    "free": Tier(gas=2_000_000_000, memory_bytes=256 * MEGABYTE),
    "premium": Tier(gas=20_000_000_000, memory_bytes=512 * MEGABYTE),
}


class _FromVariables:
    """A group of numbers that may come from variables with a prefix."""

    prefix = ""

    @classmethod
    def from_variables(cls, found: Mapping[str, str]) -> Self:
        """Return the group with the values of `<prefix><FIELD>` where the mapping has them, such as the environment."""
        names = [item.name for item in fields(cls)]  # type: ignore[arg-type]  # every subclass is a dataclass
        return cls(**{name: int(found[cls.prefix + name]) for name in names if cls.prefix + name in found})


@dataclass(frozen=True)
class ResourceLimits(_FromVariables):
    """The limits of one run that a host may lower; the smaller of a field and the language's own limit holds."""

    prefix = "DSL_"

    MAX_EXECUTION_TIME_SECONDS: int = 30
    MAX_MEMORY_MB: int = 512
    MAX_ITERATIONS: int = 10_000
    MAX_OUTPUT_SIZE_MB: int = 10
    MAX_RECURSION_DEPTH: int = 100


@dataclass(frozen=True)
class UserQuota(_FromVariables):
    """How much a user may do; the host counts, these are the numbers. -1 means without a limit."""

    prefix = "USER_QUOTA_"

    FREE_MAX_CALCULATIONS_PER_DAY: int = 10_000
    FREE_MAX_INDICATORS: int = 10
    FREE_MAX_PRIVATE_INDICATORS: int = 10
    PREMIUM_MAX_CALCULATIONS_PER_DAY: int = 100_000
    PREMIUM_MAX_INDICATORS: int = -1
    PREMIUM_MAX_PRIVATE_INDICATORS: int = -1
    REQUESTS_PER_MINUTE: int = 100
    REQUESTS_PER_HOUR: int = 1_000
    QUOTA_CACHE_TTL_SECONDS: int = 300
