"""Older import path of the validator."""

from mysingle.dsl.compat import SecurityValidator, SecurityViolation

__all__ = ["SecurityValidator", "SecurityViolation"]
