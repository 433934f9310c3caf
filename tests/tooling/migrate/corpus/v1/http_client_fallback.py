try:
    from mysingle.core.http_client import make_service_request
except ImportError:
    make_service_request = None

CALLS = make_service_request is not None
