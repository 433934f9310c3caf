import pytest

from mysingle._kernel.asgi import header_map, route_path

PATHS = [
    ("/a", "", "/a"),
    ("/api/a", "/api", "/a"),
    ("/api/", "/api", "/"),
    ("/apia", "/api", "/apia"),
    ("/a", "/api", "/a"),
    ("/api", "/api", "/api"),
    ("/api/api/a", "/api", "/api/a"),
]


@pytest.mark.parametrize(("path", "root", "expected"), PATHS)
def test_route_path(path: str, root: str, expected: str) -> None:
    """The mount prefix is taken off only as whole segments, and only once."""
    assert expected == route_path({"path": path, "root_path": root})
    assert path == route_path({"path": path})


def test_header_map() -> None:
    """The headers by name; of a repeated one the last value."""
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}

    assert header_map(scope) == {b"a": b"3", b"b": b"2"}
    assert header_map(scope) == {b"a": b"3", b"b": b"2"}


def test_header_map_follows_the_headers() -> None:
    """A layer that replaces the headers of a request is believed: a map made before does not count any more."""
    scope = {"headers": [(b"x-user-id", b"spoofed")]}
    header_map(scope)
    scope["headers"] = []
    copied = {**scope, "headers": [(b"a", b"1")]}

    assert header_map(scope) == {}
    assert header_map(copied) == {b"a": b"1"}
