from mysingle.core.base import *


class Item(BaseDocument):
    name: str


class Owned(BaseTimeDocWithUserId):
    name: str
