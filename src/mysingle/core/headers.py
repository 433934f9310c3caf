"""The names of the headers that a service reads or sends."""

from mysingle._kernel.propagation import HEADER_CORRELATION_ID, HEADER_REQUEST_ID, HEADER_USER_ID

__all__ = ["HEADER_CORRELATION_ID", "HEADER_REQUEST_ID", "HEADER_USER_ID"]
