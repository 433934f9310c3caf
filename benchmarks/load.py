"""A load of keep-alive connections: `python -m benchmarks.load PORT PATH SECONDS CONNECTIONS`."""

import asyncio
import json
import sys
import time

HEADERS = {
    "Host": "localhost",
    "X-User-Id": "a11ce0000000000000000001",
    "X-User-Email": "alice@example.com",
    "X-User-Verified": "true",
    "Correlation-Id": "01a20610-8eef-7d8d-b410-0c1450af9150",
}


class _Connection(asyncio.Protocol):
    """
    One request after the other. Every answer is as long as the first one, so that only bytes are counted.

    A client that worked harder would take the core that the server's own threads need.
    """

    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._latencies = latencies
        self._size = 0
        self._received = 0
        self._failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        if self._received == 0:
            self._failures += not data.startswith(b"HTTP/1.1 200")
        self._received += len(data)
        if not self._size:
            head, _, _ = data.partition(b"\r\n\r\n")
            self._size = len(head) + 4 + int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if self._received >= self._size:
            self._latencies.append(time.perf_counter() - self._started)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(self._failures + (error is not None))

    def _send(self) -> None:
        if time.perf_counter() >= self._until:
            self.ended.set_result(self._failures)
            self._transport.close()
            return
        self._received = 0
        self._started = time.perf_counter()
        self._transport.write(self._request)


async def _main(port: int, path: str, seconds: float, connections: int) -> dict[str, float]:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in HEADERS.items()), "", ""]
    request = "\r\n".join(lines).encode()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: _Connection(request, started + seconds, latencies), "127.0.0.1", port)
        for _ in range(connections)
    ]
    failures = sum(await asyncio.gather(*(connection.ended for _, connection in opened)))
    took = time.perf_counter() - started
    latencies.sort()
    return {
        "requests_per_second": len(latencies) / took,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
        "failures": failures,
    }


if __name__ == "__main__":
    port, path, seconds, connections = sys.argv[1:]
    print(json.dumps(asyncio.run(_main(int(port), path, float(seconds), int(connections)))))
