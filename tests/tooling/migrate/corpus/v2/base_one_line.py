import os; from mysingle.core.base import BaseDocument; import sys

if os.sep: from mysingle.core.base import BaseTimeDocument


class Item(BaseDocument): ...
