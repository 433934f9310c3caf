"""The service: HTTP for operations, gRPC for everybody else, in one process."""

from market_data.bars import Bars
from market_data.servicer import Server
from mysingle.core import create_fastapi_app, create_service_config, get_settings
from mysingle.database import BytesCodec, create_grpc_cache
from mysingle.grpc import GrpcCache, GrpcServerConfig

NAME = "market-data-service"

cache = GrpcCache(create_grpc_cache(NAME, codec=BytesCodec()))
server = Server(GrpcServerConfig.from_settings(get_settings(), NAME, cache=cache), Bars())
app = create_fastapi_app(create_service_config(NAME, enable_database=False, grpc_server=server))
