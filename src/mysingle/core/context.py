"""The context of the running request."""

from mysingle._kernel.context import RequestContext, carry_context, current_context, use_context

__all__ = ["RequestContext", "carry_context", "current_context", "use_context"]
