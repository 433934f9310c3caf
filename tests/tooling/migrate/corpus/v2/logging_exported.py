"""Gives the set-up on to the rest of the service."""

from mysingle.core.logging import get_logger, setup_logging as setup_logging_legacy

__all__ = ["get_logger", "setup_logging_legacy"]
