"""What may be fetched, and what may not, against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from embedway.egress import Egress, EgressRules, is_public
from embedway.errors import InvalidInput
from tests.robustness.test_listening import CERTIFICATE, PRIVATE_KEY

Answer = Callable[[bytes], bytes | Awaitable[bytes]]
HOSTS = ("127.0.0.1", "localhost", "*.example")


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def fetch(
    answer: Answer, path: str = "/", url: str | None = None, encryption: ssl.SSLContext | None = None, **rules: Any
) -> tuple[bytes, list[bytes]]:
    """Fetch from a server that answers so; also what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head)
            given = answer(head)
            writer.write(given if isinstance(given, bytes) else await given)
        finally:
            with contextlib.suppress(OSError):  # who asked may have left
                writer.close()
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=encryption)
    async with server:
        port = server.sockets[0].getsockname()[1]
        egress = Egress(EgressRules(**{"hosts": HOSTS, "private": True, "timeout_s": 5.0} | rules))
        return await egress.fetch((url or "http://127.0.0.1:PORT" + path).replace("PORT", str(port))), asked


def refused(said: str, answer: Answer = lambda head: reply(b"x"), **given: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        asyncio.run(fetch(answer, **given))


def test_the_body_is_given_and_nothing_is_told() -> None:
    """No cookie, credential or compression is offered."""
    body, (head,) = asyncio.run(fetch(lambda head: reply(b"picture"), "/a.png?b=c"))
    assert body == b"picture"
    assert head.startswith(b"GET /a.png?b=c HTTP/1.1\r\n")
    assert b"accept-encoding: identity" in head.lower()
    assert not any(word in head.lower() for word in (b"cookie", b"authorization"))


def test_the_host_is_named_though_its_address_is_asked() -> None:
    """A server of several names must know which one is meant."""
    _, (head,) = asyncio.run(fetch(lambda head: reply(b"x"), url="http://localhost:PORT/"))
    assert b"host: localhost:" in head.lower()


def test_fetching_is_off_unless_hosts_are_allowed() -> None:
    refused("fetches no URLs", hosts=())


@pytest.mark.parametrize(
    "url",
    ["http://elsewhere.test/", "http://localhost.elsewhere.test:PORT/", "http://example:PORT/", "http://[::1]:PORT/"],
)
def test_other_hosts_are_refused_by_name(url: str) -> None:
    refused("does not fetch from", url=url)


@pytest.mark.parametrize(
    "url", ["ftp://localhost/", "file:///etc/passwd", "http://me:secret@localhost:PORT/", "http:///"]
)
def test_other_forms_of_url_are_refused(url: str) -> None:
    refused("must begin with http", url=url)


def test_addresses_that_are_not_public_are_refused() -> None:
    """Though the name is allowed: it is the address that counts."""
    refused("its address is not public", private=False)
    refused("its address is not public", private=False, url="http://localhost:PORT/")


def test_one_private_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a public and a private address is refused, and no second look-up can change it."""
    looked: list[object] = []

    async def resolve(host: object, port: int) -> list[object]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr("embedway.egress.address.look_up", resolve)
    with pytest.raises(InvalidInput, match="not public"):
        asyncio.run(Egress(EgressRules(HOSTS)).fetch("http://a.example/"))
    assert looked == ["a.example"]


@pytest.mark.parametrize(
    "target", ["http://elsewhere.test/x", "http://10.0.0.1/", "file:///etc/passwd", "//elsewhere.test"]
)
def test_redirects_pass_the_same_checks(target: str) -> None:
    """Whatever the first host says."""
    refused("does not fetch from|must begin with", lambda head: reply(b"", "302 Found", f"location: {target}"))


def test_a_redirect_is_followed_where_it_is_allowed() -> None:
    """Relative ones too, and not for ever."""

    def answer(head: bytes) -> bytes:
        return reply(b"there") if b"GET /b" in head else reply(b"", "301 Moved", "location: /b")

    body, asked = asyncio.run(fetch(answer, "/a"))
    assert body == b"there"
    assert len(asked) == 2
    refused("more than 3 redirects", lambda head: reply(b"", "302 Found", "location: /again"))


def test_limits() -> None:
    """Of size, also where no length is told; of time; and other statuses are no pictures."""
    refused("more than 1,000 bytes", lambda head: reply(b"x" * 1001), max_bytes=1000)
    endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 100_000
    refused("more than 1,000 bytes", lambda head: endless, max_bytes=1000)
    refused("status 404", lambda head: reply(b"", "404 Not Found"))
    refused("connection failed", lambda head: b"no http at all\r\n\r\n")

    async def slow() -> bytes:
        await asyncio.sleep(3)
        return reply(b"x")

    refused("did not answer within 0.2 s", lambda head: slow(), timeout_s=0.2)


def test_an_encrypted_connection_must_be_the_hosts() -> None:
    """Given a server without a certificate that is trusted for the name, nothing is fetched."""
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(CERTIFICATE, PRIVATE_KEY)
    refused("connection failed", url="https://localhost:PORT/", encryption=encryption)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("::127.0.0.1", False),
        ("fec0::1", False),
        ("64:ff9b:1::a00:1", False),
        ("::ffff:0:7f00:1", False),
    ],
)
def test_what_counts_as_public(address: str, public: bool) -> None:
    """Also where one address is written within another."""
    assert is_public(address) is public
