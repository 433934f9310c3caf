from mysingle.core.logging import get_logger

log = get_logger("corpus")
