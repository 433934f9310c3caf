"""The intermediate representation: the op table, immutable programs, their analyses and their container."""

__all__ = []
