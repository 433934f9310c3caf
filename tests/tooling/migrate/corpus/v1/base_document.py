from mysingle.base import BaseDocument


class Item(BaseDocument):
    name: str
