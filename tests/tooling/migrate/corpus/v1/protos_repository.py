"""Stubs from the separate repository."""

from mysingle_protos.strategy.v1 import strategy_pb2
from mysingle_protos.strategy.v1 import strategy_pb2_grpc as rpc
from protos.common.v1 import common_pb2

MESSAGES = (strategy_pb2, rpc, common_pb2)
