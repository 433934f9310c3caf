"""`mysingle dsl backtest`: the account of a strategy, against an account that is kept here with plain numbers."""

import csv
import json
import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from mysingle import dsl
from mysingle.cli import main
from mysingle.dsl.engine.backtest import backtest
from mysingle.dsl.engine.broker import BrokerSettings

SIGNALS = "result = {'entry': crossover(close, SMA(close, 5)), 'exit': crossunder(close, SMA(close, 5))}\n"
HELD = "result = close > SMA(close, 5)\n"
ORDERS = """
if crossover(close, SMA(close, 5)):
    strategy.entry('L', strategy.long)
if crossunder(close, SMA(close, 5)):
    strategy.close('L')
"""
SHORT = """
if crossunder(close, SMA(close, 5)):
    strategy.entry('S', strategy.short, qty=3)
if crossover(close, SMA(close, 5)):
    strategy.close('S')
"""
NEVER = "if close > 1000000:\n    strategy.entry('L', strategy.long)\n"
NOTHING = "result = {'a': close > open, 'b': close < open, 'c': close}\n"

Backtest = Callable[..., tuple[int, str, str]]


class Costs(NamedTuple):
    """What the plain account begins with and pays."""

    capital: float = 100_000.0
    commission: float = 0.0
    slippage: float = 0.0


class Plain:
    """An account kept with plain numbers: one position, market orders at the next open."""

    def __init__(self, bars: pd.DataFrame, costs: Costs) -> None:
        self.opens, self.closes = bars["open"].tolist(), bars["close"].tolist()
        self.costs = costs
        self.cash, self.held, self.fees = costs.capital, 0.0, 0.0
        self.paid, self.entry_fee = 0.0, 0.0
        self.equity: list[float] = []
        self.profits: list[float] = []
        self.lengths: list[int] = []

    def follow(self, wanted: Sequence[bool], size: Callable[[float, float], float], sign: int = 1) -> "Plain":
        """Hold a position behind each bar that wants it; `size` gives the quantity from the equity and the close."""
        pending: float | None = None
        begun = 0
        for bar, (opened, close) in enumerate(zip(self.opens, self.closes, strict=True)):
            if pending is not None and pending > 0:
                self._buy(sign * pending, opened)
                begun = bar
            elif pending == 0 and self.held:
                self._sell(opened)
                self.lengths.append(bar - begun)
            self.equity.append(self.cash + self.held * close)
            is_held = bool(self.held)
            pending = size(self.equity[-1], close) if wanted[bar] and not is_held else None
            if is_held and not wanted[bar]:
                pending = 0
        return self

    def _buy(self, quantity: float, price: float) -> None:
        self.paid = price * (1 + math.copysign(self.costs.slippage, quantity))
        self.entry_fee = abs(quantity) * self.paid * self.costs.commission
        self.cash -= quantity * self.paid + self.entry_fee
        self.fees += self.entry_fee
        self.held = quantity

    def _sell(self, price: float) -> None:
        got = price * (1 - math.copysign(self.costs.slippage, self.held))
        fee = abs(self.held) * got * self.costs.commission
        self.cash += self.held * got - fee
        self.fees += fee
        self.profits.append(self.held * (got - self.paid) - self.entry_fee - fee)
        self.held = 0.0

    def figures(self, years: float) -> dict[str, float]:
        """Work out every figure in the plainest way."""
        curve = [self.costs.capital, *self.equity]
        returns = [b / a - 1 for a, b in pairwise(curve)]
        falls = [1 - value / max(curve[: at + 1]) for at, value in enumerate(curve)]
        root = math.sqrt((len(self.equity) - 1) / years)
        total = curve[-1] / curve[0] - 1
        won, lost = [gain for gain in self.profits if gain > 0], [gain for gain in self.profits if gain < 0]
        below = math.sqrt(sum(min(value, 0) ** 2 for value in returns) / len(returns))
        yearly = (1 + total) ** (1 / years) - 1
        return {
            "total_return": total, "profit": curve[-1] - curve[0], "annual_return": yearly,
            "max_drawdown": max(falls), "longest_drawdown": longest(falls), "calmar": yearly / max(falls),
            "sharpe": statistics.fmean(returns) / statistics.pstdev(returns),
            "sharpe_annual": statistics.fmean(returns) / statistics.pstdev(returns) * root,
            "sortino_annual": statistics.fmean(returns) / below * root,
            "volatility": statistics.pstdev(returns) * root, "fees": self.fees, "trades": len(self.profits),
            "win_rate": len(won) / len(self.profits), "profit_factor": sum(won) / -sum(lost),
            "average_win": statistics.fmean(won), "average_loss": statistics.fmean(lost),
            "expectancy": statistics.fmean(self.profits), "bars_held": statistics.fmean(self.lengths),
            "buy_and_hold": self.closes[-1] / self.closes[0] - 1,
        }  # fmt: skip


def longest(falls: Sequence[float]) -> int:
    return max(len(run) for run in "".join("x" if fall > 0 else " " for fall in falls).split(" "))


def wanted(bars: pd.DataFrame, *, is_crossing: bool = True, is_short: bool = False) -> list[bool]:
    """Return where the strategies want a position, from the close and its mean over five bars."""
    mean = bars["close"].rolling(5).mean()
    over, under = (bars["close"] > mean).tolist(), (bars["close"] < mean).tolist()
    if not is_crossing:
        return over
    over, under = (under, over) if is_short else (over, under)
    inside, found = False, []
    for bar in range(len(bars)):
        if bar >= 5 and under[bar] and over[bar - 1]:
            inside = False
        elif bar >= 5 and over[bar] and under[bar - 1]:
            inside = True
        found.append(inside)
    return found


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Enter a folder with strategies and 700 bars whose open is not the close before."""
    chance = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(chance.normal(0.0008, 0.02, 700)))
    opened = close * np.exp(chance.normal(0, 0.004, 700))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99
    index = pd.date_range("2021-03-01", periods=700, name="time")
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"open": opened, "high": high, "low": low, "close": close}, index).to_csv("bars.csv")
    sources = {"signals": SIGNALS, "held": HELD, "orders": ORDERS, "short": SHORT, "never": NEVER, "nothing": NOTHING}
    for name, source in sources.items():
        Path(f"{name}.dsl").write_text(source)
    return pd.read_csv("bars.csv", index_col="time", parse_dates=True)


@pytest.fixture
def command(bars: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> Backtest:
    """Give a function that tests a strategy on the bars: exit code, output, errors."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["dsl", "backtest", *words, "--data", "bars.csv"])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


COSTS = [Costs(), Costs(50_000.0, 0.001, 0.0005), Costs(1_000_000.0, 0.02, 0.0), Costs(100_000.0, 0.0, 0.01)]
CASES = {
    "signals, whole account": ("signals", [], {}, lambda equity, close: equity / close),
    "signals, a quarter": ("signals", ["--percent", "25"], {}, lambda equity, close: 0.25 * equity / close),
    "signals, ten pieces": ("signals", ["--quantity", "10"], {}, lambda equity, close: 10.0),
    "condition": ("held", [], {"is_crossing": False}, lambda equity, close: equity / close),
    "orders, one piece": ("orders", [], {}, lambda equity, close: 1.0),
    "orders, seven pieces": ("orders", ["--quantity", "7"], {}, lambda equity, close: 7.0),
    "short": ("short", [], {"is_short": True}, lambda equity, close: 3.0),
}


@pytest.mark.parametrize("costs", COSTS, ids=["free", "usual", "dear", "slippery"])
@pytest.mark.parametrize("case", CASES)
def test_figures(command: Backtest, bars: pd.DataFrame, case: str, costs: Costs) -> None:
    """Every figure, and the account at each bar, is that of an account that is kept with plain numbers."""
    name, words, kind, size = CASES[case]
    spent = ["--capital", str(costs.capital), "--commission", str(costs.commission), "--slippage", str(costs.slippage)]
    code, out, _ = command(f"{name}.dsl", *words, *spent, "--json", "--equity", "equity.csv")
    plain = Plain(bars, costs).follow(wanted(bars, **kind), size, -1 if name == "short" else 1)
    figures = plain.figures((bars.index[-1] - bars.index[0]).days / 365.25)
    found = json.loads(out)
    with Path("equity.csv").open(newline="") as file:
        equity = [float(row["equity"]) for row in csv.DictReader(file)]

    assert code == 0
    assert equity == pytest.approx(plain.equity, rel=1e-9)
    assert found["figures"].keys() - figures.keys() == {"exposure"}
    for key, value in figures.items():
        assert found["figures"][key] == pytest.approx(value, rel=1e-7, abs=1e-9), key
    assert [trade["profit"] for trade in found["trades"]] == pytest.approx(plain.profits, rel=1e-7, abs=1e-6)


def test_years(command: Backtest) -> None:
    """The years compound to the whole return."""
    found = json.loads(command("signals.dsl", "--json")[1])

    assert list(found["years"]) == ["2021", "2022", "2023"]
    assert math.prod(1 + value for value in found["years"].values()) - 1 == pytest.approx(
        found["figures"]["total_return"]
    )


def test_trades_and_the_account_agree(command: Backtest) -> None:
    """Without an open position the profits of the trades are the profit of the account, costs included."""
    words = ("signals.dsl", "--commission", "0.002", "--slippage", "0.001", "--json", "--trades", "trades.csv")
    found = json.loads(command(*words)[1])
    with Path("trades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == found["figures"]["trades"] > 10
    if found["position"] == 0:
        assert math.fsum(float(row["profit"]) for row in rows) == pytest.approx(found["figures"]["profit"])
    assert rows[0]["direction"] == "long"


def test_text(command: Backtest) -> None:
    """The text has figures, years and trades, and no colours in a pipe."""
    code, out, err = command("signals.dsl", "--commission", "0.001")

    assert (code, err) == (0, "")
    assert all(
        word in out for word in ("return, a year", "Sortino", "fees", "longest, in bars", "2022", "the last 10 of")
    )
    assert "\x1b" not in out


def test_close(command: Backtest, bars: pd.DataFrame) -> None:
    """Orders that fill at the close of their own bar are said to, and fill there."""
    code, out, err = command("signals.dsl", "--fill", "close", "--json")
    first = json.loads(out)["trades"][0]

    assert code == 0
    assert "hard to reach" in err
    assert first["entry_price"] == pytest.approx(bars["close"][first["entry"]])


@pytest.mark.parametrize("name", ["account.png", "account.html"])
def test_pictures(command: Backtest, name: str) -> None:
    """The account is drawn; a page has figures and trades under the chart, and loads nothing."""
    code, _, err = command("signals.dsl", "--chart", name)
    content = Path(name).read_bytes()

    assert (code, err) == (0, f"{name} is written\n")
    if name.endswith(".png"):
        assert content.startswith(b"\x89PNG")
    else:
        assert b"<td>Sortino, a year</td>" in content
        assert b"default-src 'none'" in content


def test_nothing_happens(command: Backtest) -> None:
    """A strategy that never orders leaves the account as it was."""
    found = json.loads(command("never.dsl", "--json")[1])
    figures = found["figures"]

    assert (figures["total_return"], figures["trades"], figures["fees"], figures["max_drawdown"]) == (0, 0, 0, 0)
    assert figures["calmar"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.dsl"], "neither orders nor `entry` with `exit`"),
        (["orders.dsl", "--percent", "50"], "a percentage of the account is for signals"),
        (["signals.dsl", "--percent", "0"], "between 0.01 and 1000"),
        (["signals.dsl", "--percent", "nan"], "between 0.01 and 1000"),
        (["signals.dsl", "--quantity", "-1"], "not a number between"),
        (["signals.dsl", "--quantity", "1", "--percent", "1"], "not allowed with"),
        (["signals.dsl", "--pyramiding", "x"], "between 0 and 100"),
        (["signals.dsl", "--pyramiding", "1000"], "between 0 and 100"),
        (["signals.dsl", "--fill", "high"], "invalid choice"),
        (["signals.dsl", "--trades", "no/where.csv"], "cannot be written"),
        (["signals.dsl", "--chart", "x.gif"], "must end in"),
        (["absent.dsl"], "absent.dsl: the file cannot be read"),
    ],
)
def test_refused(command: Backtest, words: list[str], said: str) -> None:
    """What cannot be tested is refused with a line that says why, exit code 2."""
    code, _, err = command(*words)

    assert code == 2
    assert said in err.splitlines()[-1]


def test_columns(command: Backtest, bars: pd.DataFrame) -> None:
    """Fills need all prices; a file without them is refused by name."""
    bars[["close"]].to_csv("bars.csv")
    code, _, err = command("signals.dsl")

    assert code == 2
    assert "open, high, low" in err


def test_without_times(bars: pd.DataFrame) -> None:
    """Bars without times have no figures of a year, and a short run has no return a year."""
    program, columns = dsl.compile(SIGNALS), {name: bars[name].to_numpy() for name in bars}
    timeless = backtest(program.run(columns), columns, BrokerSettings(), 100.0).figures
    short = backtest(program.run(bars[:100]), bars[:100], BrokerSettings(), 100.0).figures

    assert not {"annual_return", "sharpe_annual", "volatility"} & set(timeless)
    assert "sharpe_annual" in short
    assert "annual_return" not in short
