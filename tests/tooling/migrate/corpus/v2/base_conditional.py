try:
    from mysingle.core.base import BaseDocument
except ImportError:  # releases before 2
    from mysingle.core.base import BaseDocument

if True:
    from mysingle.core.base import BaseTimeDocument


class Item(BaseDocument): ...


class Timed(BaseTimeDocument): ...
