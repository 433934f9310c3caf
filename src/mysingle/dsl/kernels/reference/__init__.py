"""TA-Lib's functions in plain Python: the oracle of the fast kernels, and what runs where TA-Lib is not installed."""

__all__ = []
