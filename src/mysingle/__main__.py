"""`python -m mysingle` is the command `mysingle`."""

import sys

from mysingle.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
