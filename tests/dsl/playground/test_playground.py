"""The page and its routes, as a visitor uses them and as one who means harm does."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from mysingle._kernel.settings import CommonSettings, reset_settings, set_settings
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.dsl.limits import LIMITS
from mysingle.dsl.playground import create_playground_router
from mysingle.dsl.playground.demo import KINDS, Demo, demo_bars
from mysingle.dsl.playground.gallery import gallery
from mysingle.dsl.playground.requests import MOST_SHOWN
from mysingle.testing import running

CROSS = """
fast = param.int(5, min=2, max=50)
slow = param.int(20, min=3, max=100)
average = SMA(close, fast)
plot(average, title='fast')
result = {'entry': crossover(average, SMA(close, slow)), 'exit': crossunder(average, SMA(close, slow))}
"""
ORDERS = "if close > close[3]:\n    strategy.entry('L', strategy.long)\nelse:\n    strategy.close('L')\n"
DEMO = {"demo": "market", "bars": 200, "seed": 3}
CSV = "time,open,high,low,close,volume\n" + "".join(
    f"2024-01-{day:02},{day},{day + 1},{day - 1},{day + 0.5},100\n" for day in range(1, 29)
)
ROUTES = ["/dsl/check", "/dsl/run", "/dsl/sweep", "/dsl/explain"]


def make_app(**settings: Any) -> Any:
    set_settings(CommonSettings(_env_file=None, **{"ENVIRONMENT": "testing", **settings}))
    config = create_service_config("playground", enable_database=False, public_paths=["/dsl/*"])
    app = create_fastapi_app(config)
    app.include_router(create_playground_router())
    return app


@pytest.fixture
async def client() -> Any:
    """Give a client of a service that has the playground."""
    async with running(make_app(), timeout=60) as found:
        yield found
    reset_settings()


async def post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# check


async def test_check_of_a_sound_strategy(client: httpx.AsyncClient) -> None:
    """A strategy that compiles has its meaning: parameters, columns, warm-up, and the cost of each line."""
    found = await post(client, "/dsl/check", {"source": CROSS})

    assert (found["ok"], found["diagnostics"]) == (True, [])
    program = found["program"]
    assert program["parameters"]["properties"]["fast"] == {"type": "integer", "default": 5, "minimum": 2, "maximum": 50}
    assert (program["columns"], program["outputs"]) == (["close"], ["entry", "exit"])
    assert program["warmup"]["entry"]["first_valid"] == 20
    assert sum(program["cost"]["by_line"].values()) > 0


async def test_check_of_a_mistake(client: httpx.AsyncClient) -> None:
    """A mistake is no failure of the request: it is found, with its place and its repair."""
    found = await post(client, "/dsl/check", {"source": "x = EMA(close, windw=12)"})

    assert (found["ok"], found["program"]) == (False, None)
    (item,) = found["diagnostics"]
    assert (item["code"], item["line"], item["column"], item["fixits"][0]["text"]) == ("DSL-002", 1, 16, "span")


async def test_check_at_a_position(client: httpx.AsyncClient) -> None:
    """With a position the answer says what may stand there, which call is open, and what the name is."""
    body = {"source": "x = EMA(clos", "position": {"line": 1, "column": 13}}
    found = await post(client, "/dsl/check", body)

    assert found["completion"]["items"][0]["label"] == "close"
    assert (found["signature"]["label"], found["signature"]["active"]) == ("EMA(series, span)", 0)
    assert found["hover"] is None


async def test_functions(client: httpx.AsyncClient) -> None:
    """The functions of the language are listed with their arguments."""
    answer = await client.get("/dsl/functions")

    by_name = {entry["name"]: entry for entry in answer.json()["globals"]}
    assert [item["name"] for item in by_name["MACD"]["parameters"]] == ["series", "fast", "slow", "signal"]


# run


async def test_run(client: httpx.AsyncClient) -> None:
    """A run has prices, lines, decisions, figures and the value of each variable, one for each bar."""
    found = await post(client, "/dsl/run", {"source": CROSS, "data": DEMO, "params": {"fast": 3}})
    picture = found["picture"]

    assert len(picture["labels"]) == len(picture["price"]["close"]) == picture["bars"] == 200
    assert picture["panels"][0]["lines"][0]["name"] == "fast"
    assert picture["panels"][0]["lines"][0]["values"][:3] == [
        None,
        None,
        pytest.approx(picture_mean(picture), rel=1e-5),
    ]
    assert {item["name"] for item in picture["variables"]} == {"average"}
    assert found["basis"] == "signals"
    assert found["trades_total"] == found["figures"]["trades"] > 0
    assert picture["warm_up"] == 20
    assert [mark["direction"] for mark in picture["markers"]][:2] == [1, -1]


def picture_mean(picture: Any) -> float:
    return sum(picture["price"]["close"][:3]) / 3


async def test_the_same_number_gives_the_same_prices(client: httpx.AsyncClient) -> None:
    """A link shows everybody the same picture; another number shows another."""
    one, two, other = [
        (await post(client, "/dsl/run", {"source": CROSS, "data": {**DEMO, "seed": seed}}))["picture"]["price"]
        for seed in (3, 3, 4)
    ]

    assert one == two
    assert one != other


@pytest.mark.parametrize("kind", KINDS)
def test_made_prices_are_prices(kind: str) -> None:
    """High and low enclose open and close, nothing is missing, and no price is below zero."""
    bars = demo_bars(Demo(kind, 500, 9))

    assert len(bars) == 500
    assert (bars[["open", "close"]].max(axis=1) <= bars["high"]).all()
    assert (bars[["open", "close"]].min(axis=1) >= bars["low"]).all()
    assert (bars > 0).all(axis=None)


async def test_run_with_orders(client: httpx.AsyncClient) -> None:
    """Orders are measured by the account of the simulated broker, with its costs."""
    body = {"source": ORDERS, "data": DEMO}
    free = await post(client, "/dsl/run", body)
    dear = await post(client, "/dsl/run", {**body, "account": {"commission": 0.01}})

    assert free["basis"] == "orders"
    assert free["orders"] > 0
    assert dear["figures"]["total_return"] < free["figures"]["total_return"]


async def test_run_over_a_file(client: httpx.AsyncClient) -> None:
    """A visitor's file is read, also with columns of its own."""
    text = CSV.replace("volume", "sentiment")
    found = await post(client, "/dsl/run", {"source": "result = sentiment > 50", "data": {"csv": text}})

    assert found["picture"]["labels"][0] == "2024-01-01"
    assert found["signals"] == {"result": 28}


async def test_a_part_of_many_bars_is_shown(client: httpx.AsyncClient) -> None:
    """The picture has a part of the bars, the last ones or those asked for; the figures are those of all."""
    body = {"source": CROSS, "data": {**DEMO, "bars": 4_000}}
    last = await post(client, "/dsl/run", body)
    asked = await post(client, "/dsl/run", {**body, "first": 100, "count": 50})

    assert (last["picture"]["first"], len(last["picture"]["labels"])) == (1_000, MOST_SHOWN)
    assert (asked["picture"]["first"], len(asked["picture"]["labels"])) == (100, 50)
    assert asked["figures"] == last["figures"]
    assert all(0 <= mark["bar"] < 50 for mark in asked["picture"]["markers"])


async def test_look_ahead_is_shown(client: httpx.AsyncClient) -> None:
    """In research mode a strategy that looks ahead runs, and the answer says so."""
    body = {"source": "result = close > close.mean()", "data": DEMO}
    refused = await client.post("/dsl/run", json=body)
    found = await post(client, "/dsl/run", {**body, "mode": "research"})

    assert refused.json()["code"] == "DSL_010"
    assert (found["looks_ahead"], found["lookahead"][0]["line"]) == (True, 1)


async def test_infinite_values_leave_valid_json(client: httpx.AsyncClient) -> None:
    """What is missing or infinite is null: no answer holds NaN."""
    text = CSV.replace(",15.5,", ",inf,").replace(",16.5,", ",nan,").replace(",17.5,", ",1e308,")
    answer = await client.post("/dsl/run", json={"source": "result = close * 1e10 > 0", "data": {"csv": text}})

    assert answer.status_code == 200, answer.text
    assert "NaN" not in answer.text
    assert "Infinity" not in answer.text
    assert answer.json()["picture"]["price"]["close"][15] is None


# explain and sweep


async def test_explain(client: httpx.AsyncClient) -> None:
    """Every variable has its line and its value at the bar that is asked for."""
    found = await post(client, "/dsl/explain", {"source": CROSS, "data": {"csv": CSV}, "bar": 4})

    assert found["bar"] == "2024-01-05"
    assert {"name": "average", "line": 4, "value": "3.5"} in found["values"]


async def test_sweep_is_that_of_single_runs(client: httpx.AsyncClient) -> None:
    """Each cell of a sweep is the figure of the run with its parameters, and the best one is the largest."""
    space = {"fast": [3, 6], "slow": [15, 20, 30]}
    body = {"source": CROSS, "data": DEMO}
    found = await post(client, "/dsl/sweep", {**body, "space": space, "metric": "total_return"})
    runs = [
        [(await post(client, "/dsl/run", {**body, "params": {"fast": fast, "slow": slow}}))["figures"]["total_return"]
         for slow in space["slow"]] for fast in space["fast"]
    ]  # fmt: skip

    assert found["axes"] == [[3, 6], [15, 20, 30]]
    assert found["values"] == [[pytest.approx(value, abs=1e-6) for value in row] for row in runs]
    assert found["best"][0]["value"] == max(value for row in found["values"] for value in row)


async def test_sweep_of_orders(client: httpx.AsyncClient) -> None:
    """A strategy that gives orders and no result is swept by its account."""
    source = "n = param.int(3, min=1, max=9)\n" + ORDERS.replace("close[3]", "close[n]")
    found = await post(client, "/dsl/sweep", {"source": source, "data": DEMO, "space": {"n": [1, 2, 3]}})

    assert len({row[0] for row in found["values"]}) == 3


async def test_gallery_runs(client: httpx.AsyncClient) -> None:
    """Every strategy of the gallery compiles without a finding, trades on its data, and has something to sweep."""
    shown = (await client.get("/dsl/playground/gallery.json")).json()
    assert shown == gallery()
    for item in shown:
        checked = await post(client, "/dsl/check", {"source": item["source"]})
        found = await post(client, "/dsl/run", {"source": item["source"], "data": item["data"]})

        assert (item["id"], checked["diagnostics"]) == (item["id"], [])
        assert found["trades_total"] > 0
        assert item["sweep"].keys() <= checked["program"]["parameters"]["properties"].keys()


# what goes wrong

DEAR = "x = 0\n" + "".join(f"x += indicator.imi(open, close, {4_900 + at})\n" for at in range(60)) + "result = x > 1"


def over(text: str, source: str = CROSS) -> dict[str, Any]:
    return {"source": source, "data": {"csv": text}}


REFUSED = [
    ("a mistake", {"source": "x = EMA(close, windw=12)"}, "DSL_002", "windw"),
    ("a guard", {"source": "raise ValueError('enough')\nresult = close > 1"}, "DSL_004", "enough"),
    ("no result", {"source": "x = 1"}, "DSL_004", "result"),
    ("unknown parameter", {"source": CROSS, "params": {"quick": 3}}, "DSL_008", "quick"),
    ("parameter out of range", {"source": CROSS, "params": {"fast": 5000}}, "DSL_008", "fast"),
    ("parameter of the wrong type", {"source": CROSS, "params": {"fast": "5"}}, "DSL_008", "fast"),
    ("parameter beyond all numbers", {"source": CROSS, "params": {"fast": 10**400}}, "DSL_008", "fast"),
    ("too few bars", {"source": "result = close > SMA(close, 500)", "data": DEMO}, "DSL_011", "number 500"),
    ("missing column", over(CSV, "result = data['vix'] > 1"), "DSL_009", "vix"),
    ("empty file", over(" \n"), "DSL_009", "empty"),
    ("one bar", over("open,close\n1,2\n"), "DSL_009", "one bar"),
    ("no names", over("1,2\n3,4\n"), "DSL_009", "columns"),
    ("text for a price", over(CSV.replace("20.5", "twenty")), "DSL_009", "twenty"),
    ("time that falls", over(CSV + "2023-01-01,1,1,1,1,1\n"), "DSL_009", "sort"),
    ("binary", over("PAR1\0\0,close\n\0,1"), "DSL_009", "binary"),
    ("no close", over("open,high\n1,2\n3,4\n", "result = open > 1"), "DSL_009", "no column close"),
    ("many columns", over(",".join(f"c{at}" for at in range(900_000))), "DSL_009", "900,000"),
    ("many columns over two lines", over('"a\n",' + "b," * 200 + "\n1,2\n"), "DSL_009", "202"),
    ("many bars", over("open,close\n" + "1,2\n" * 200_002), "DSL_009", "200,000"),
    ("many bars of another system", over("open,close\r" + "1,2\r" * 200_002), "DSL_009", "200,000"),
    ("a name without an end", over('"' + "a" * 200_000), "DSL_009", "line 1"),
    ("too long a source", {"source": "x = 1\n" * 7_000}, "DSL_005", "source bytes"),
    ("too much gas", {"source": DEAR, "data": {"demo": "market", "bars": 5_000}}, "DSL_005", "gas"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_refusal_is_a_problem(client: httpx.AsyncClient, body: Any, code: str, words: str) -> None:
    """What the strategy or its data do wrong is a 422 problem with its code, its words and a finding with a place."""
    answer = await client.post("/dsl/run", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert words in problem["detail"]
    assert problem["diagnostics"][0]["code"] == code.replace("_", "-")


INVALID = [
    ("no object", b"[]", 422),
    ("no JSON", b"{", 422),
    ("no UTF-8", b'{"source": "\xff\xfe"}', 400),
    ("nested deeply", b'{"source": ' + b"[" * 200_000, 400),
    ("a digit too many", b'{"source": "x", "params": {"a": ' + b"9" * 5_000 + b"}}", 400),
    ("unknown field", b'{"source": "x", "path": "/etc/passwd"}', 422),
    ("no source", b"{}", 422),
    ("source of another type", b'{"source": 7}', 422),
    ("parameters of another type", b'{"source": "x", "params": {"a": {"b": 1}}}', 422),
    ("list for parameters", b'{"source": "x", "params": [1]}', 422),
    ("unknown prices", b'{"source": "x", "data": {"demo": "../secret"}}', 422),
    ("number as text", b'{"source": "x", "data": {"bars": "600"}}', 422),
    ("bars beyond the bound", b'{"source": "x", "data": {"bars": 100000000}}', 422),
    ("no number of bars", b'{"source": "x", "data": {"bars": NaN}}', 422),
    ("unknown mode", b'{"source": "x", "mode": "live"}', 422),
    ("source of a megabyte", json.dumps({"source": "x" * 1_000_000}).encode(), 422),
    ("file beyond the bound", json.dumps({"source": "x", "data": {"csv": "1," * 4_500_000}}).encode(), 422),
    ("body beyond the bound", b" " * (11 * 1024 * 1024), 413),
]


@pytest.mark.parametrize(("content", "status"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
async def test_invalid_request(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    """A request of another form is a problem on every route, and tells nothing of the inside."""
    for path in ROUTES:
        if b'"data"' in content and path == "/dsl/check":
            continue
        answer = await client.post(path, content=content, headers={"content-type": "application/json"})

        assert (path, answer.status_code) == (path, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text


LARGE = {"demo": "market", "bars": 5_000}
TOO_MUCH = [
    ("too many values", {"fast": [2] * 61}, "VALIDATION_FAILED"),
    ("three parameters", {"fast": [3], "slow": [20], "other": [1]}, "VALIDATION_FAILED"),
    ("no parameter", {}, "VALIDATION_FAILED"),
    ("no value", {"fast": []}, "VALIDATION_FAILED"),
    ("value out of range", {"fast": [3, 400]}, "DSL_008"),
    ("unknown parameter", {"speed": [1, 2]}, "DSL_008"),
    ("value of another type", {"fast": [3, "4"]}, "DSL_008"),
]


@pytest.mark.parametrize(("space", "code"), [case[1:] for case in TOO_MUCH], ids=[case[0] for case in TOO_MUCH])
async def test_refused_sweep(client: httpx.AsyncClient, space: Any, code: str) -> None:
    """A sweep over too much, nothing, or what is no parameter is refused before it begins."""
    answer = await client.post("/dsl/sweep", json={"source": CROSS, "data": DEMO, "space": space})

    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_dear_sweep_is_refused(client: httpx.AsyncClient) -> None:
    """The gas of all runs together is that of the free tier."""
    source = "a = param.int(2, min=1, max=60)\nb = param.int(2, min=1, max=60)\nx = close\n"
    source += "".join("x = SMA(x, a) + STDDEV(x, b + 1)\n".replace("STDDEV", "stdev") for _ in range(40))
    values = list(range(1, 61))
    body = {"source": source + "result = x > 1", "data": LARGE, "space": {"a": values, "b": values}}
    answer = await client.post("/dsl/sweep", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "DSL_005")
    assert "fewer" in answer.json()["detail"]


async def test_explain_of_no_bar(client: httpx.AsyncClient) -> None:
    """A bar that is not there is told, with how many there are."""
    answer = await client.post("/dsl/explain", json={"source": CROSS, "data": DEMO, "bar": 200})

    assert (answer.status_code, "200" in answer.json()["detail"]) == (422, True)


async def test_a_large_run_blocks_nobody(client: httpx.AsyncClient) -> None:
    """While a run computes that would hold the interpreter for long, other visitors get their answers."""
    rows = "".join(f"{at},{at % 97 + 1},{at % 89 + 1}\n" for at in range(10_000))
    source = "result = indicator.imi(open, close, 3000) > 50"
    large = asyncio.create_task(
        client.post("/dsl/run", json={"source": source, "data": {"csv": "bar,open,close\n" + rows}})
    )
    await asyncio.sleep(0.05)
    answered = 0
    while not large.done():
        assert (await client.post("/dsl/check", json={"source": CROSS})).status_code == 200
        answered += 1
    answer = await large

    assert answered > 1
    assert answer.status_code == 200, answer.text
    assert answer.json()["cost"]["gas"] > 50_000_000
    assert len(answer.json()["picture"]["labels"]) == MOST_SHOWN


# the page


async def test_page_refers_to_nothing_outside(client: httpx.AsyncClient) -> None:
    """Whatever the page loads comes from the service itself, and the policy of its answers lets nothing else in."""
    files = {"playground": (await client.get("/dsl/playground")).text}
    wanted = set(re.findall(r'(?:href|src)="playground/([^"]+)"', files["playground"]))
    while wanted - files.keys():
        name = min(wanted - files.keys())
        answer = await client.get(f"/dsl/playground/{name}")
        assert (name, answer.status_code) == (name, 200)
        files[name] = answer.text
        wanted |= set(re.findall(r'from "\./([\w.]+)"', files[name]))

    assert {"app.js", "chart.js", "style.css", "icon.svg"} <= files.keys()
    for name, text in files.items():
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) - {"http://www.w3.org"}  # the name of SVG
        assert (name, found) == (name, set())
        assert (name, re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|@import|url\(", text)) == (name, [])


@pytest.mark.parametrize("path", ["", "/app.js", "/style.css", "/icon.svg", "/gallery.json"])
async def test_page_headers(client: httpx.AsyncClient, path: str) -> None:
    """Every file has the policy, its exact type, and is embedded by nobody."""
    answer = await client.get(f"/dsl/playground{path}")
    policy = answer.headers["content-security-policy"]

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2frouter.py", "%2e%2e/router.py", "__init__.py", "index.html%00.js"]
)
async def test_no_other_file(client: httpx.AsyncClient, name: str) -> None:
    """Only the files of the page are given out, and a path that leads elsewhere is not public."""
    answer = await client.get(f"/dsl/playground/{name}")

    assert answer.status_code == (401 if ".." in str(answer.request.url.path) else 404)
    assert answer.headers["content-type"] == "application/problem+json"


SETTINGS = [
    ("development", {"ENVIRONMENT": "development"}, True),
    ("testing", {"ENVIRONMENT": "testing"}, True),
    ("production", {"ENVIRONMENT": "production"}, False),
    ("staging", {"ENVIRONMENT": "staging"}, False),
    ("another name", {"ENVIRONMENT": "qa"}, False),
    ("production, asked for", {"ENVIRONMENT": "production", "DSL_PLAYGROUND_ENABLED": True}, True),
]


@pytest.mark.parametrize(("settings", "is_there"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS])
def test_where_it_is(settings: dict[str, Any], is_there: bool) -> None:
    """Outside of development and tests there is no route, unless the settings ask for it."""
    router = create_playground_router(CommonSettings(_env_file=None, **settings))

    assert bool(router.routes) is is_there


async def test_no_route_in_production() -> None:
    """Where it is off, the service knows nothing of it."""
    app = make_app()
    app.router.routes.clear()
    app.include_router(create_playground_router(CommonSettings(_env_file=None, ENVIRONMENT="production")))
    async with running(app) as client:
        for path in ROUTES:
            assert (await client.post(path, json={"source": CROSS})).status_code == 404
        assert (await client.get("/dsl/playground")).status_code == 404
    reset_settings()


async def test_routes_are_in_the_document(client: httpx.AsyncClient) -> None:
    """The API document describes what the routes take."""
    document = (await client.get("/openapi.json")).json()

    assert {*ROUTES, "/dsl/functions"} <= document["paths"].keys()
    assert document["components"]["schemas"]["RunRequest"]["additionalProperties"] is False
    assert LIMITS.parameters == document["components"]["schemas"]["RunRequest"]["properties"]["params"]["maxProperties"]
