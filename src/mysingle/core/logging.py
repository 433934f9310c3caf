"""Structured logs."""

from mysingle._kernel.logging import flush_logs, get_logger, get_structured_logger, setup_logging

__all__ = ["flush_logs", "get_logger", "get_structured_logger", "setup_logging"]
