from mysingle.core.logging import get_logger, get_structured_logger
from mysingle.core.logging import setup_logging

setup_logging("corpus", "INFO", "testing")
log = get_logger(__name__)
structured = get_structured_logger(__name__)
log.info("item.created")
