"""A bar on standard error while a person waits; when no terminal shows it, there is none."""

import sys
import time

__all__ = ["Progress"]

_WIDTH = 30
_PAUSE_SECONDS = 0.1


class Progress:
    """Draws how much is done; leaving the `with` block takes the bar away."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._is_shown = sys.stderr.isatty()
        self._drawn = 0.0

    def __enter__(self) -> "Progress":
        """Begin; nothing is drawn yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away, also when the work has failed."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        """Draw, at most ten times a second."""
        if not self._is_shown or time.monotonic() - self._drawn < _PAUSE_SECONDS:
            return
        self._drawn = time.monotonic()
        filled = _WIDTH * min(done, total) // max(total, 1)
        bar = "#" * filled + "." * (_WIDTH - filled)
        sys.stderr.write(f"\r{self._label} [{bar}] {done:,} of {total:,}\x1b[K")
        sys.stderr.flush()
