"""Worker processes as a second layer: the language keeps a strategy in, the system keeps a mistake of ours in."""

__all__ = []
