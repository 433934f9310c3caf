from . import setup_logging_legacy

setup_logging_legacy("corpus")
