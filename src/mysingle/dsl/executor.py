"""Older import path of the executor."""

from mysingle.dsl.compat import DSLExecutor, ExecutionContext, TradingCommand, Visualization

__all__ = ["DSLExecutor", "ExecutionContext", "TradingCommand", "Visualization"]
