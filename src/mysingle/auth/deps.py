"""Where version 1 had what is in `mysingle.auth` now."""

from mysingle._kernel.old_names import forward

__getattr__ = forward(__name__)
