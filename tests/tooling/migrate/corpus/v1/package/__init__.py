from mysingle.base import BaseDocument
from mysingle.logging import setup_logging_legacy
from .inner import Item
