"""Real servers without an installation: SecantusDB, valkey-server and Envoy, which never outlive their owner."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.embedded._errors import DataDirectoryInUseError, PortInUseError, ServerStartError
    from mysingle.embedded.gateway import EmbeddedEnvoy
    from mysingle.embedded.mongo import EmbeddedMongo
    from mysingle.embedded.redis import EmbeddedRedis
    from mysingle.embedded.stack import EmbeddedStack

__all__ = [
    "DataDirectoryInUseError",
    "EmbeddedEnvoy",
    "EmbeddedMongo",
    "EmbeddedRedis",
    "EmbeddedStack",
    "PortInUseError",
    "ServerStartError",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "DataDirectoryInUseError": "._errors",
        "EmbeddedEnvoy": ".gateway",
        "EmbeddedMongo": ".mongo",
        "EmbeddedRedis": ".redis",
        "EmbeddedStack": ".stack",
        "PortInUseError": "._errors",
        "ServerStartError": "._errors",
    },
)
