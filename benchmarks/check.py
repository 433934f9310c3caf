"""The check of a service's code, on a tree that is written for it: files a second, and the time for a thousand."""

import tempfile
import time
from pathlib import Path

from mysingle.tooling.check import CheckConfig, CheckReport, check_paths

FILES = 1000
ROUNDS = 3
EXAMPLE = Path(__file__).parents[1] / "examples" / "strategy_service" / "app"
CLIENT = '''
from mysingle.clients import BaseGrpcClient
from mysingle.core import get_logger
from app{number}.protos import quotes_pb2, quotes_pb2_grpc

log = get_logger(__name__)


class QuotesClient(BaseGrpcClient):
    """Quotes of service {number}."""

    def __init__(self, user_id=None, correlation_id=None):
        super().__init__("quotes-service", 50051, user_id=user_id, correlation_id=correlation_id)
        self.stub = quotes_pb2_grpc.QuotesStub(self.channel)

    async def last(self, symbol: str) -> float:
        answer = await self.stub.Last(quotes_pb2.LastRequest(symbol=symbol))
        log.info("quote.read", symbol=symbol)
        return answer.price
'''
JOBS = """
import asyncio
import os
import time

import httpx
import redis.asyncio as redis

URL = os.getenv("QUOTES_URL", "http://quotes-service:8000")
client = redis.Redis(host="localhost", db={number})


async def refresh(symbols: list[str]) -> dict[str, float]:
    prices = {{}}
    async with httpx.AsyncClient(timeout=3) as http:
        for symbol in symbols:
            answer = await http.get(f"{{URL}}/quotes/{{symbol}}")
            prices[symbol] = answer.json()["price"]
            await client.set(f"market:{{symbol}}", prices[symbol])
            time.sleep(0.1)
    return prices


if __name__ == "__main__":
    asyncio.run(refresh(["SPY"]))
"""


def measure() -> dict[str, float]:
    """Check a tree of services, a fifth of whose files break rules, in one process; the best of some rounds counts."""
    with tempfile.TemporaryDirectory() as folder:
        lines = _write(Path(folder))
        rounds = [_check(Path(folder)) for _ in range(ROUNDS)]
    seconds, cpu_seconds, report = min(rounds, key=lambda one: one[0])
    return {
        "files": report.files,
        "lines": lines,
        "findings": len(report.findings),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "files_per_second": report.files / seconds,
        "seconds_per_thousand": seconds / report.files * 1000,
    }


def _check(folder: Path) -> tuple[float, float, CheckReport]:
    started, cpu = time.perf_counter(), time.process_time()
    report = check_paths([folder], CheckConfig(base=folder))
    return time.perf_counter() - started, time.process_time() - cpu, report


def _write(folder: Path) -> int:
    """Write services of five files each, and return how many lines they have."""
    sources = {
        file.stem: file.read_text(encoding="utf-8") for file in sorted(EXAMPLE.glob("*.py")) if file.stem != "__init__"
    }
    lines = 0
    for number in range(FILES // (len(sources) + 2)):
        app = folder / f"service{number}" / f"app{number}"
        app.mkdir(parents=True)
        texts = {name: text.replace("from app.", f"from app{number}.") for name, text in sources.items()}
        texts |= {"clients": CLIENT.format(number=number), "jobs": JOBS.format(number=number % 15)}
        for name, text in texts.items():
            (app / f"{name}.py").write_text(text, encoding="utf-8")
            lines += text.count("\n")
    return lines
