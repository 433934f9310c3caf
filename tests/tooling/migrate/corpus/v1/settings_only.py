class Settings:
    USE_GRPC_FOR_STRATEGY = True


def switch(settings) -> bool:
    if not settings.USE_GRPC_FOR_STRATEGY:
        # old
        raise RuntimeError
    return bool(settings.USE_GRPC_FOR_IAM or settings.missing)


assert switch(Settings())
