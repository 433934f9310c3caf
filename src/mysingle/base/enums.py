"""Says what to do without the enumerations of version 1."""

from mysingle._kernel.old_names import forward

__getattr__ = forward(__name__)
