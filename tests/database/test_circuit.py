from mysingle.database._circuit import Circuit, Throttle


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Circuit:
    circuit = Circuit(threshold=3, pause_seconds=1.0, clock=clock)
    for _ in range(3):
        circuit.failed()
    return circuit


def test_closed_until_threshold() -> None:
    """Faults below the threshold change nothing."""
    circuit = Circuit(threshold=3, clock=Clock())
    circuit.failed()
    circuit.failed()

    assert circuit.allows()
    assert not circuit.is_open


def test_success_forgets_faults() -> None:
    """Only faults in a row count."""
    circuit = Circuit(threshold=2, clock=Clock())
    for _ in range(5):
        circuit.failed()
        assert not circuit.succeeded()

    assert circuit.allows()


def test_open_pauses() -> None:
    """After the threshold nobody asks for the length of the pause."""
    clock = Clock()
    circuit = opened(clock)
    clock.now += 0.99

    assert not circuit.allows()


def test_one_probe() -> None:
    """After the pause one caller asks, and nobody else until it reports or another pause is over."""
    clock = Clock()
    circuit = opened(clock)
    clock.now += 1.0

    assert [circuit.allows() for _ in range(3)] == [True, False, False]
    clock.now += 1.0
    assert [circuit.allows() for _ in range(2)] == [True, False]


def test_probe_succeeds() -> None:
    """An answer closes the circuit at once, and says that the server was away."""
    clock = Clock()
    circuit = opened(clock)
    clock.now += 1.0
    circuit.allows()

    assert circuit.succeeded()
    assert circuit.allows()
    assert not circuit.is_open


def test_probe_fails() -> None:
    """A probe that fails begins another pause."""
    clock = Clock()
    circuit = opened(clock)
    clock.now += 1.5
    circuit.allows()
    circuit.failed()
    clock.now += 0.99

    assert not circuit.allows()


def test_throttle() -> None:
    """At most one in an interval, and the next one says how many were held back."""
    clock = Clock()
    throttle = Throttle(interval_seconds=1.0, clock=clock)

    assert [throttle.admit() for _ in range(3)] == [0, None, None]
    clock.now += 1.0
    assert [throttle.admit() for _ in range(2)] == [2, None]
