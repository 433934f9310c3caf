import os; from mysingle.base import BaseDocument; import sys

if os.sep: from mysingle.base import BaseTimeDocument


class Item(BaseDocument): ...
