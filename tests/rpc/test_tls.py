"""TLS both ways, and certificates that are replaced while everything runs."""

import datetime
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import grpc
from mysingle._kernel.errors import MySingleError
from mysingle.clients import ClientPolicy, _pool
from mysingle.testing import grpc_pair


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority of a test."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._cert = self._sign(self._name, self._key.public_key(), is_authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject: x509.Name, key: Any, *, is_authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())

    def issue(self, name: str) -> Pair:
        """Write a certificate for localhost."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.cert.write_bytes(self._sign(subject, key.public_key()).public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pair.key.write_bytes(key.private_bytes(*form))
        return pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority."""
    return Authority(tmp_path, "ca")


def tls(pair: Pair, **more: Any) -> dict[str, Any]:
    return {"host": "localhost", "port": 0, "use_tls": True, "cert_file": pair.cert, "key_file": pair.key, **more}


async def test_tls(authority: Authority, rpc: Any) -> None:
    """A client that knows the authority is served."""
    async with grpc_pair(rpc.register, **tls(authority.issue("server"))) as pair:
        async with rpc.Client(pair.host, use_tls=True, ca_file=authority.file) as client:
            assert (await client.market.GetBars(rpc.bars("x"))).symbol == rpc.USER


async def test_mutual_tls(authority: Authority, tmp_path: Path, rpc: Any) -> None:
    """With client certificates required, one of the authority is let in; none, and a foreign one, are not."""
    mine, foreign = authority.issue("client"), Authority(tmp_path, "other").issue("foreign")
    options = tls(authority.issue("server"), ca_file=authority.file, require_client_cert=True)
    policy = ClientPolicy(max_attempts=1)
    async with grpc_pair(rpc.register, **options) as pair:
        trusting = {"use_tls": True, "ca_file": authority.file, "policy": policy, "timeout": 3}
        async with rpc.Client(pair.host, cert_file=mine.cert, key_file=mine.key, **trusting) as client:
            await client.market.GetBars(rpc.bars("x"))
        for pairs in ({}, {"cert_file": foreign.cert, "key_file": foreign.key}):
            async with rpc.Client(pair.host, **trusting, **pairs) as client:
                with pytest.raises(grpc.aio.AioRpcError):
                    await client.market.GetBars(rpc.bars("x"))


@pytest.mark.parametrize("mistake", ["foreign authority", "plain client", "plain server"])
async def test_wrong_tls(mistake: str, authority: Authority, tmp_path: Path, rpc: Any) -> None:
    """A wrong authority, a client without TLS and a server without it are UNAVAILABLE, not a hang."""
    other = Authority(tmp_path, "other")
    options = {"host": "localhost", "port": 0} if mistake == "plain server" else tls(authority.issue("server"))
    use_tls = mistake != "plain client"
    ca_file = (other if mistake == "foreign authority" else authority).file
    async with grpc_pair(rpc.register, **options) as pair:
        async with rpc.Client(pair.host, use_tls=use_tls, ca_file=ca_file, timeout=3) as client:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.market.GetBars(rpc.bars("x"))

    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


async def test_replaced(authority: Authority, tmp_path: Path, rpc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """New certificates of a new authority are taken up by the running server and the running client."""
    monkeypatch.setattr(_pool, "_TLS_CHECK_SECONDS", 0.0)
    files = authority.issue("server")
    known = tmp_path / "known.pem"
    known.write_bytes(authority.file.read_bytes())
    async with grpc_pair(rpc.register, **tls(files)) as pair:
        async with rpc.Client(pair.host, use_tls=True, ca_file=known) as client:
            await client.market.GetBars(rpc.bars("x"))
            fresh = Authority(tmp_path, "fresh")
            replacement = fresh.issue("server")  # the same files
            assert replacement == files
            known.write_bytes(fresh.file.read_bytes())
            os.utime(known, ns=(1, 1))
            await client.market.GetBars(rpc.bars("x"), wait_for_ready=True)


def test_unreadable_file(rpc: Any) -> None:
    """A file that is not there is named."""

    async def call() -> None:
        async with rpc.Client("localhost:1", use_tls=True, ca_file="/nowhere/ca.pem") as client:
            await client.market.GetBars(rpc.bars("x"))

    import asyncio

    with pytest.raises(MySingleError, match=r"/nowhere/ca\.pem"):
        asyncio.run(call())
