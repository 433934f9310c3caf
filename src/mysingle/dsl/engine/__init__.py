"""The engine: programs over whole columns, bar by bar, as streams and in sweeps."""

__all__ = []
