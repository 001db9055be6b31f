"""Which Host headers name this machine."""

import pytest

from embedway.http.access import is_loopback_host


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "http://127.0.0.1:8000",
        "http://127.0.0.1:8000/",
        "localhost:1",
        "[::1]:80",
        "a.localhost",
    ],
)
def test_loopback_in_every_form_that_clients_send(host: str) -> None:
    """The vendor SDK sends a whole URL."""
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "[::2]", "[bad", "http://"],
)
def test_everything_else_is_foreign(host: str) -> None:
    """A page that rebinds its name to 127.0.0.1 still sends its own name."""
    assert not is_loopback_host(host)
