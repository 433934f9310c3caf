"""The standard library's loggers are nobody's business."""

import logging

logger = logging.getLogger("mysingle.audit")
logger.info("Value: %s", 1, extra={"a": 1})
