from mysingle.logging import configure_logging_for_service, setup_logging_legacy

# both did the same
setup_logging_legacy("corpus")
configure_logging_for_service("corpus", "DEBUG")
