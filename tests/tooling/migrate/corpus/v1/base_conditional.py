try:
    from mysingle.core.base import BaseDocument
except ImportError:  # releases before 2
    from mysingle.base import BaseDocument

if True:
    from mysingle.base.models import BaseTimeDocument


class Item(BaseDocument): ...


class Timed(BaseTimeDocument): ...
