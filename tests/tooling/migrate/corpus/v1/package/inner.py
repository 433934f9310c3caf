from mysingle.base.models import BaseDocument


class Item(BaseDocument): ...
