"""Gives the set-up on to the rest of the service."""

from mysingle.logging import get_logger, setup_logging_legacy

__all__ = ["get_logger", "setup_logging_legacy"]
