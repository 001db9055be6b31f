"""A name service that hangs holds up those who ask it, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from embedway.egress import names
from embedway.egress.address import Addresses


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Until it is set, the name service hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, over: threading.Event) -> list[str]:
    """The names that were looked up; those that begin with `dead` hang."""
    real, looked = socket.getaddrinfo, []

    def resolve(host: str, port: int, type: int = 0, flags: int = 0) -> object:  # noqa: A002 -- the library's name
        if flags:
            return real(host, port, type=type, flags=flags)
        looked.append(host)
        if host.startswith("dead"):
            over.wait(20)
            raise socket.gaierror(-3, "no answer")
        return real("127.0.0.1", port, type=type)

    monkeypatch.setattr(names, "_LOOK_UPS", names._LookUps())
    monkeypatch.setattr("embedway.egress.names.socket.getaddrinfo", resolve)
    return looked


async def gives_up(host: str, after_s: float = 0.1) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(after_s):
            await Addresses(private=True).find(host, 80)


def test_other_work_goes_on(hanging: list[str]) -> None:
    """Given more names that hang than there are threads: the process's own executor is free, addresses need no
    look-up, and the process has no more threads than it may.
    """

    async def scenario() -> None:
        await asyncio.gather(*(gives_up(f"dead{number}.example") for number in range(50)))
        started_s = time.monotonic()
        assert await asyncio.to_thread(lambda: 1) == 1
        assert await Addresses(private=True).find("127.0.0.1", 80) == ["127.0.0.1"]
        assert time.monotonic() - started_s < 1

    asyncio.run(scenario())
    assert len(hanging) == names.THREADS
    assert sum(thread.name.startswith("names ") and thread.daemon for thread in threading.enumerate()) >= names.THREADS


def test_one_name_is_looked_up_once(hanging: list[str]) -> None:
    """By all who ask for it meanwhile, also after the first have gone: other names find a thread."""

    async def scenario() -> None:
        for _ in range(3):
            await asyncio.gather(*(gives_up("dead.example", 0.02) for _ in range(20)))
        assert await asyncio.wait_for(Addresses(private=True).find("alive.example", 80), 2) == ["127.0.0.1"]

    asyncio.run(scenario())
    assert hanging == ["dead.example", "alive.example"]


def test_what_nobody_waits_for_is_not_looked_up(
    hanging: list[str], over: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one thread, which hangs, and a caller that has gone before its turn came."""
    monkeypatch.setattr(names, "THREADS", 1)
    hosts = ("dead.example", "left.example", "asked.example")

    async def scenario() -> None:
        dead, left, asked = [asyncio.create_task(names.look_up(host, 80)) for host in hosts]
        await asyncio.sleep(0.05)
        left.cancel()
        over.set()
        assert isinstance((await asyncio.gather(dead, return_exceptions=True))[0], OSError)
        assert await asyncio.wait_for(asked, 2)

    asyncio.run(scenario())
    assert hanging == ["dead.example", "asked.example"]


def test_a_name_without_address() -> None:
    """Is an error for all who asked."""

    async def scenario() -> list[object]:
        asked = (names.look_up("no-such-host.invalid", 80) for _ in range(3))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    assert all(isinstance(one, OSError) for one in asyncio.run(scenario()))
