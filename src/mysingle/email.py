"""Where version 1 had what is in `mysingle.core.email` now."""

from mysingle._kernel.old_names import forward

__getattr__ = forward(__name__)
