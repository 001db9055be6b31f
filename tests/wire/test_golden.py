"""Whole exchanges: what a real client or a vendor's document sends, and the whole answer to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server

from .exchange import Answer, send, send_bytes
from .golden import FOLDER, faults

EXCHANGES = sorted(FOLDER.glob("*/*.json"))


def capture(name: str) -> bytes:
    """Return a captured request as it came over the wire: lines end in CRLF, the body is untouched."""
    head, body = (FOLDER / "captures" / name).read_bytes().split(b"\n\n", 1)
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body.removesuffix(b"\n")


def ask(server: Server, request: dict[str, Any]) -> Answer:
    """Send the request of a golden exchange: a capture, or method, path, headers and body."""
    if "capture" in request:
        return send_bytes(server, capture(request["capture"]))
    return send(server, request["method"], request["path"], request.get("body"), headers=request.get("headers"))


@pytest.mark.parametrize("file", EXCHANGES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_exchange(file: Path, request: pytest.FixtureRequest) -> None:
    """The server's answer has the status, the headers, the keys, the order, the types and the values of the file."""
    exchange = json.loads(file.read_text(encoding="utf-8"))
    answer = ask(request.getfixturevalue(exchange["server"]), exchange["request"])
    expected = exchange["response"]
    assert answer.status == expected["status"], answer.body[:500]
    for name, value in expected.get("headers", {}).items():
        assert faults(value, answer.headers.get(name), name) == []
    assert faults(expected["body"], answer.json()) == []


@pytest.mark.parametrize("file", sorted((FOLDER / "captures").glob("*.http")), ids=lambda file: file.stem)
def test_capture_is_answered(file: Path, stand_in: Server) -> None:
    """Every captured request of a real client gets a JSON object with a body, and none gets a 5xx or a redirect."""
    answer = send_bytes(stand_in, capture(file.name))
    assert answer.status == 200 or 400 <= answer.status < 500, answer.body
    assert isinstance(answer.json(), dict)
    assert answer.json()
