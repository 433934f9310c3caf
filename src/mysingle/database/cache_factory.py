"""Another path to `mysingle.database`, for services that also run on releases after 2.8."""

from mysingle._kernel.old_names import forward

__getattr__ = forward(__name__)
