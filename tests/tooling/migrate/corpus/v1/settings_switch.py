from mysingle.core.config import CommonSettings


class Settings(CommonSettings):
    FEED_URL: str = "http://feed"
    # gRPC where it is ready
    USE_GRPC_FOR_STRATEGY: bool = True
    USE_GRPC_FOR_MARKET_DATA: bool = False


settings = Settings()


def call(kind: str) -> str:
    # one of them
    if settings.USE_GRPC_FOR_STRATEGY:
        # the new way
        result = "grpc"
        # and done
    else:
        result = "http"
    if kind == "a":
        return result
    elif not settings.USE_GRPC_FOR_STRATEGY:
        return "http"
    elif settings.USE_GRPC_FOR_MARKET_DATA and kind == "b":
        return "market"
    port = 50051 if settings.USE_GRPC_FOR_STRATEGY else 8000
    if getattr(settings, "USE_GRPC_FOR_STRATEGY", False): return f"{result}:{port}"
    return "never"


assert call("c") == "grpc:50051"
