from mysingle.core.base import BaseDocument
from mysingle.core.logging import setup_logging as setup_logging_legacy
from .inner import Item
