from mysingle.core.logging import setup_logging as setup_logging_legacy


def setup_logging() -> None:
    """Our own, with the name that theirs has now."""
    setup_logging_legacy("corpus")


setup_logging()
