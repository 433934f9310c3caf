from mysingle.core.logging import setup_logging

# both did the same
setup_logging("corpus")
setup_logging("corpus", "DEBUG")
