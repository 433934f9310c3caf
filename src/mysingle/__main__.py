"""`python -m mysingle` is the command `mysingle`."""

from mysingle.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
