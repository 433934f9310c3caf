"""From source text to a program: each pass sees only the passes before it, and no text becomes Python code."""

__all__ = []
