from mysingle.core.headers import HEADER_USER_ID


# TODO(mysingle v2): HEADER_KONG_CONSUMER_ID was removed; the gateway identifies users; read the caller with mysingle.auth. See docs/how-to/migrate-from-v1.md#headers
HEADER_KONG_CONSUMER_ID = "X-Consumer-ID"

FORWARDED = [HEADER_USER_ID, HEADER_KONG_CONSUMER_ID]
