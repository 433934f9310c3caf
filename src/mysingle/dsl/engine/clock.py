"""What a bar's time says: hour, minute, weekday and session, in the time zone of the data."""

from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from mysingle.dsl.errors import DSLDataError
from mysingle.dsl.kernels.floats import Array

__all__ = ["CLOCK_FIELDS", "clock_columns", "clock_number"]

_REGULAR: Final = (9 * 60 + 30, 16 * 60)
CLOCK_FIELDS: Final = frozenset({"time", "hour", "minute", "day_of_week", "is_regular_session", "is_open"})


def clock_columns(field: str, time: Array | None, zone: str, session: tuple[int, int] | None = None) -> Any:
    """
    Give one field of the clock for every bar.

    Raises:
        DSLDataError: the data has no time.
    """
    if time is None:
        raise DSLDataError("This strategy reads the time of the bars: give the data a DatetimeIndex or a column 'time'")
    if field == "time":
        return time
    local = _local_minutes(time, zone)
    match field:
        case "hour":
            return np.floor(local % 1440 / 60)
        case "minute":
            return np.floor(local % 60)
        case "day_of_week":
            # 1970-01-01 was a Thursday.
            return np.floor(local / 1440 + 3) % 7 + 1
        case _:
            begin, end = session or _REGULAR
            minute = local % 1440
            return (minute >= begin) & (minute < end)


def clock_number(field: str, time: float, zone: str, session: tuple[int, int] | None = None) -> Any:
    """Give one field of the clock for one bar."""
    return clock_columns(field, np.array([time]), zone, session)[0].item()


def _local_minutes(time: Array, zone: str) -> Array:
    minutes = np.floor(time / 60_000)
    if zone in ("UTC", "utc"):
        return minutes
    return minutes + _offset_minutes(time, zone)


def _offset_minutes(time: Array, zone: str) -> Array:
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DSLDataError(f"Unknown time zone {zone!r}") from error
    stamps = pd.to_datetime(time, unit="ms", utc=True).tz_convert(known)
    shifted = stamps.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    return (shifted - time) / 60_000  # type: ignore[no-any-return]  # untyped in pandas
