"""Older import path of the parser."""

from mysingle.dsl.compat import DSLParser

__all__ = ["DSLParser"]
