"""Speaks of `mysingle.base` and of BaseServiceClient, and imports neither."""

TEXT = """
from mysingle.base import BaseDocument
"""
