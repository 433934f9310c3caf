from mysingle.core.config import CommonSettings


class Settings(CommonSettings):
    FEED_URL: str = "http://feed"
    # gRPC where it is ready


settings = Settings()


def call(kind: str) -> str:
    # one of them
    # the new way
    result = "grpc"
    # and done
    if kind == "a":
        return result
    elif kind == "b":
        return "market"
    port = 50051
    return f"{result}:{port}"
    return "never"


assert call("c") == "grpc:50051"
