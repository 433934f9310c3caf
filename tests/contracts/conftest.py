"""One valkey alone, one behind sentinels, three as a cluster, one inside TLS with users: real servers for all modes."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mysingle.database import KeyValueStore, MemoryStore, RedisClientManager, RedisConfig, get_redis_manager
from mysingle.database._redis_store import RedisStore
from mysingle.embedded import EmbeddedRedis


class Node(EmbeddedRedis):
    """A server with options of its own."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        return (*super()._command(home, port), *self._options)


def ask(port: int, *words: str) -> str:
    """Send one command to a server and return the beginning of its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall((" ".join(words) + "\r\n").encode())
        return connection.recv(65536).decode()


@pytest.fixture(scope="session")
def alone() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


class ClusterNode(Node):
    """A member of a cluster; members talk to each other on a port of their own."""

    def __init__(self) -> None:
        self.bus = free_port()
        super().__init__("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", str(self.bus))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def cluster() -> Iterator[list[ClusterNode]]:
    """Give three masters that share the slots."""
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(ClusterNode()) for _ in range(3)]
        for number, node in enumerate(nodes):
            first, last = number * 5462, min(16383, (number + 1) * 5462 - 1)
            assert ask(node.port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last)).startswith("+OK")
        for node in nodes[1:]:
            answer = ask(nodes[0].port, "CLUSTER", "MEET", "127.0.0.1", str(node.port), str(node.bus))
            assert answer.startswith("+OK"), answer
        wait_until(lambda: all("cluster_slots_ok:16384" in ask(node.port, "CLUSTER", "INFO") for node in nodes))
        wait_until(lambda: all("cluster_state:ok" in ask(node.port, "CLUSTER", "INFO") for node in nodes))
        yield nodes


def wait_until(condition: Any, seconds: float = 20) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "the servers did not agree in time"
        time.sleep(0.05)


@dataclass
class Guarded:
    """A master, its replica and the sentinel that watches them."""

    master: Node
    replica: Node
    sentinel: Node


class SentinelNode(Node):
    """The same binary as a sentinel."""

    def __init__(self, master_port: int) -> None:
        super().__init__()
        self._master_port = master_port

    def _command(self, home: Path, port: int) -> tuple[str, ...]:
        file = home / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {home}\nsentinel monitor mymaster 127.0.0.1 {self._master_port} 1\n"
            "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
        )
        return (super()._command(home, port)[0], str(file), "--sentinel")


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Give a master with a replica behind one sentinel; the test may kill them."""
    with Node() as master, Node("--replicaof", f"127.0.0.1 {master.port}") as replica:
        wait_until(lambda: "master_link_status:up" in ask(replica.port, "INFO", "replication"))
        with SentinelNode(master.port) as sentinel:
            wait_until(lambda: str(replica.port) in ask(sentinel.port, "SENTINEL", "REPLICAS", "mymaster"))
            yield Guarded(master, replica, sentinel)


@pytest.fixture
async def cluster_config(cluster: list[ClusterNode]) -> RedisConfig:
    return RedisConfig(mode="cluster", nodes=tuple(f"127.0.0.1:{node.port}" for node in cluster))


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def store(request: Any) -> AsyncIterator[KeyValueStore]:
    """Give each kind of store in turn, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    manager = make_manager(request)
    made = RedisStore(manager, 8)
    await made.clear(b"")
    yield made
    await made.clear(b"")
    await manager.close()


def make_manager(request: Any) -> RedisClientManager:
    if request.param == "valkey":
        return RedisClientManager(RedisConfig(port=request.getfixturevalue("alone").port, timeout_seconds=5))
    nodes = request.getfixturevalue("cluster")
    addresses = tuple(f"127.0.0.1:{node.port}" for node in nodes)
    return RedisClientManager(RedisConfig(mode="cluster", nodes=addresses, timeout_seconds=5))


@dataclass
class Certificates:
    """Files of an authority and of a server that it vouches for."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: Any) -> Certificates:
    """Make an authority for this run."""
    folder = tmp_path_factory.mktemp("tls")
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)

    def build(subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = {
        "ca.pem": build(authority, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256()),
        "server.pem": build(server, server_key)
        .add_extension(names, critical=False)
        .sign(authority_key, hashes.SHA256()),
    }
    for name, certificate in made.items():
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")


@contextlib.asynccontextmanager
async def inside_tls(port: int, certificates: Any) -> AsyncIterator[int]:
    """Serve a plain server inside TLS; the binary of the tests speaks no TLS itself."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    tasks = set()
    writers: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writers.extend([writer, inner_writer])
        both = asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))
        tasks.add(both)
        await both

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    await get_redis_manager().close()
    server.close()
    await asyncio.sleep(0.1)
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.1)
