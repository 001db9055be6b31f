"""What may be sent to, and what goes along, against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from typing import Any

import pytest

from embedway.egress import Refused
from embedway.egress.address import Addresses
from embedway.egress.send import Sender
from embedway.egress.wire import Answer, Broken
from tests.robustness.test_listening import CERTIFICATE, PRIVATE_KEY
from tests.test_egress import Answer as Replying
from tests.test_egress import reply

SENT = {"content-type": "application/json", "authorization": "Bearer secret", "x-more": "also secret"}


async def send(
    answer: Replying,
    url: str = "http://127.0.0.1:PORT/",
    private: bool = True,
    encryption: ssl.SSLContext | None = None,
) -> tuple[Answer, list[bytes]]:
    """Send a body to a server that answers so; also what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head + await reader.readexactly(4))
            given = answer(head)
            writer.write(given if isinstance(given, bytes) else await given)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=encryption)
    async with server, Sender(private, 2) as sender:
        port = str(server.sockets[0].getsockname()[1])
        async with asyncio.timeout(5):
            return await sender.send("POST", url.replace("PORT", port), SENT, b"body", 2**20), asked


def sends(**given: Any) -> tuple[Answer, list[bytes]]:
    return asyncio.run(send(**given))


def test_what_is_sent_arrives() -> None:
    """The headers that are given, the host by its name, the body; no cookie and no agent."""
    answer, (head,) = sends(
        answer=lambda head: reply(b"done", "201 Created", "X-Told: yes"), url="http://localhost:PORT/a?b=c"
    )
    assert (answer.status, answer.body, answer.headers["x-told"], answer.ok) == (201, b"done", "yes", True)
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\nhost: localhost:")
    assert b"authorization: Bearer secret\r\n" in head
    assert head.endswith(b"\r\n\r\nbody")
    assert not any(word in head.lower() for word in (b"cookie", b"user-agent"))


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_gets_the_body_and_no_credentials(status: str) -> None:
    """Not even on the same host: the type of the content alone goes along."""

    def answer(head: bytes) -> bytes:
        return reply(b"there") if b"POST /b" in head else reply(b"", status, "location: /b")

    found, (first, second) = sends(answer=answer)
    assert found.body == b"there"
    assert b"authorization" in first
    assert second.endswith(b"body")
    assert b"content-type: application/json" in second
    assert b"secret" not in second


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
def test_redirects_that_change_the_request_are_not_followed(status: str) -> None:
    """They are the answer."""
    found, asked = sends(answer=lambda head: reply(b"", status, "location: /b"))
    assert (found.status, found.ok, len(asked)) == (int(status[:3]), False, 1)


def test_a_redirect_loop_ends() -> None:
    """After three."""
    with pytest.raises(Refused, match="more than 3 redirects"):
        sends(answer=lambda head: reply(b"", "307 X", "location: /again"))


def only_one_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own address counts as public for once, so that a redirect can lead from there to a private one."""
    monkeypatch.setattr("embedway.egress.address.is_public", lambda address: address == "127.0.0.1")


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2/", "http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/"]
)
def test_a_redirect_to_a_private_address_is_not_followed(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Though the first address was allowed."""
    only_one_is_public(monkeypatch)
    asked: list[bytes] = []

    def answer(head: bytes) -> bytes:
        asked.append(head)
        return reply(b"", "307 X", f"location: {target}")

    with pytest.raises(Refused, match="its address is not public"):
        sends(answer=answer, private=False)
    assert len(asked) == 1


def test_nothing_private_is_sent_to() -> None:
    """Unless it is allowed; by number and by name."""
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
        with pytest.raises(Refused, match="its address is not public"):
            sends(answer=lambda head: reply(b"x"), url=f"http://{host}:PORT/", private=False)


def test_a_name_that_changes_its_address_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a name service that says another address each time: what is checked is what is connected to."""
    only_one_is_public(monkeypatch)
    answers = ["127.0.0.1", "127.0.0.2"]
    looked: list[object] = []

    async def resolve(host: object, port: int) -> list[object]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[len(looked) - 1], port))]

    monkeypatch.setattr("embedway.egress.address.look_up", resolve)
    found, _ = sends(answer=lambda head: reply(b"x"), url="http://rebound.example:PORT/", private=False)
    assert found.status == 200
    assert looked == ["rebound.example"]


def test_an_answer_of_the_name_service_is_used_for_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no longer."""
    looked: list[object] = []

    async def resolve(host: object, port: int) -> list[object]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    async def scenario() -> None:
        now_s = time.monotonic()
        addresses = Addresses(private=False)
        for later_s in (0, 4.9, 5.1):
            monkeypatch.setattr("embedway.egress.address.time.monotonic", lambda later_s=later_s: now_s + later_s)
            assert await addresses.find("a.example", 443) == ["93.184.216.34"]

    monkeypatch.setattr("embedway.egress.address.look_up", resolve)
    asyncio.run(scenario())
    assert len(looked) == 2


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first of a name accepts no connection."""

    async def resolve(host: object, port: int) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.0.0.3", "127.0.0.1")]

    monkeypatch.setattr("embedway.egress.address.look_up", resolve)
    assert sends(answer=lambda head: reply(b"x"), url="http://two.example:PORT/")[0].body == b"x"


def test_a_certificate_that_is_not_the_hosts_ends_it() -> None:
    """Before anything is sent."""
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(CERTIFICATE, PRIVATE_KEY)
    with pytest.raises(Broken, match="a certificate that is not trusted"):
        sends(answer=lambda head: reply(b"x"), url="https://localhost:PORT/", encryption=encryption)


def test_encryption_is_for_the_name_though_the_address_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server whose certificate is trusted, it is told the host's name; a redirect without encryption is not
    followed from there.
    """
    named: list[str | None] = []
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(CERTIFICATE, PRIVATE_KEY)
    encryption.sni_callback = lambda connection, name, context: named.append(name)  # type: ignore[assignment]
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    monkeypatch.setattr("embedway.egress.wire._trusted", lambda: trusting)
    assert sends(answer=lambda head: reply(b"x"), url="https://localhost:PORT/", encryption=encryption)[0].body == b"x"
    assert named == ["localhost"]
    with pytest.raises(Refused, match="without encryption"):
        sends(
            answer=lambda head: reply(b"", "307 X", "location: http://localhost/"),
            url="https://localhost:PORT/",
            encryption=encryption,
        )


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would connect to what was never checked."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    assert sends(answer=lambda head: reply(b"x"))[0].body == b"x"
