"""Kernels: what an operation computes on whole columns, bar by bar, and in plain Python as the reference."""

__all__ = []
