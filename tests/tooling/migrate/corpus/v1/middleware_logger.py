from mysingle.core.middleware import get_logger

log = get_logger("corpus")
