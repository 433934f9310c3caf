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


async def _drive(port: int, request: bytes, until: float, latencies: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failures = 0
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
        failures += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return failures


async def _main(port: int, path: str, seconds: float, connections: int) -> dict[str, float]:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in HEADERS.items()), "", ""]
    request = "\r\n".join(lines).encode()
    latencies: list[float] = []
    started = time.perf_counter()
    drives = [_drive(port, request, started + seconds, latencies) for _ in range(connections)]
    failures = sum(await asyncio.gather(*drives))
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
