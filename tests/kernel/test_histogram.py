from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from mysingle._kernel.histogram import DurationHistogram
from mysingle._kernel.rpc_metrics import RpcFamily

BOUNDS = (0.005, 0.1, 1.0, 10.0)
TRACE = "0af7651916cd43dd8448eb211c80319c"

special = st.sampled_from(["\\", '"', "\n", "/a/{id}", "é"])
labels = special | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
durations = st.floats(0, 100) | st.sampled_from([*BOUNDS, 0.0])


@given(observations=st.lists(st.tuples(labels, durations), max_size=20))
def test_same_as_the_library(observations: list[tuple[str, float]]) -> None:
    """Our histogram says what the library's says: counts, sums and labels, whatever they hold."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped upstream
    registry = CollectorRegistry()
    theirs = Histogram("t_seconds", "Text.", ("route",), buckets=BOUNDS, registry=registry)
    ours = DurationHistogram("t_seconds", "Text.", ("route",), BOUNDS)
    for label, seconds in observations:
        theirs.labels(label).observe(seconds)
        ours.labels(label).observe(seconds)
    text = generate_latest(registry).decode()

    assert samples(text) == samples(ours.render(with_exemplars=False).decode())


@given(target=labels)
def test_counts_of_any_label(target: str) -> None:
    """A counter of gRPC is scraped as it was counted, whatever its label holds."""
    family = RpcFamily("t", "Text.", "counter", ("grpc_target",))
    family.labels(target).inc()
    text = "\n".join([*family.render(is_openmetrics=False), ""])

    (found,) = [sample for item in parse_text(text) for sample in item.samples]  # type: ignore[no-untyped-call]  # untyped upstream
    assert (found.labels, found.value) == ({"grpc_target": target}, 1.0)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = parse_text(text)  # type: ignore[no-untyped-call]  # untyped upstream
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_last_exemplar_of_a_bucket() -> None:
    """A bucket shows the trace of its last sampled observation, and only where exemplars are wanted."""
    histogram = DurationHistogram("t_seconds", "Text.", ("route",), BOUNDS)
    series = histogram.labels("/a")
    for seconds, trace_id in ((0.05, "old"), (0.06, TRACE), (0.07, None), (99.0, TRACE)):
        series.observe(seconds, trace_id)
    text = histogram.render(with_exemplars=True).decode() + "# EOF\n"
    (family,) = parse_openmetrics(text)  # type: ignore[no-untyped-call]  # untyped upstream
    exemplars = {sample.labels["le"]: sample.exemplar for sample in family.samples if sample.exemplar}

    assert {edge: exemplar.value for edge, exemplar in exemplars.items()} == {"0.1": 0.06, "+Inf": 99.0}
    assert all(exemplar.labels == {"trace_id": TRACE} for exemplar in exemplars.values())
    assert TRACE not in histogram.render(with_exemplars=False).decode()
