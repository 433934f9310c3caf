from mysingle.core.config import CommonSettings


class Settings(CommonSettings):
    PAGE_SIZE: int = 50
    USE_GRPC_FOR_STRATEGY: bool = True


settings = Settings()
