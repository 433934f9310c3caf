from mysingle.base import *


class Item(BaseDocument):
    name: str


class Owned(BaseTimeDocWithUserId):
    name: str
