"""The load generator: a process of its own that plays the callers of an HTTP server (standard library only).

One thread, asyncio, one kept-alive connection per caller, the bare protocol of `bench.connection`. Vectors are not
decoded in the measured window; the first answer of each window is decoded after it and must have the right shape.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from array import array
from collections.abc import Mapping
from typing import Any

from bench import pipe, texts
from bench.connection import Connection, connect, post
from bench.loads import Sample, work

HOST = "127.0.0.1"
REQUEST_LIMIT_S = 120.0


class Callers:
    """The callers of one measured window: they share a clock, a cursor over the texts and the list of latencies."""

    def __init__(self, target: Mapping[str, Any], load: Mapping[str, Any]) -> None:
        self.target = target
        self.load = load
        self.set = texts.load(load["texts"])
        self.sent = 0
        self.tokens: list[int] = []
        self.sample = Sample(0, 0, 0, 0, 0.0, [])
        self.first_answer = b""
        self.last_s = 0.0

    def next_request(self) -> tuple[bytes, list[int]]:
        """The next request's bytes and the tokens of its texts."""
        count = self.load["per_request"]
        start = self.sent * count
        chosen, tokens = self.set.take(start, count, self.load["serial"] + start)
        self.sent += 1
        return request(self.target, chosen), tokens

    async def call(self, connection: Connection, until_s: float, fewest: int) -> None:
        """One caller: ask, wait, ask again, until the window is over and enough requests were sent by all callers."""
        while time.perf_counter() < until_s or self.sent < fewest:
            asked, tokens = self.next_request()
            began_s = time.perf_counter()
            try:
                status, body = await asyncio.wait_for(connection.send(asked), REQUEST_LIMIT_S)
            except (OSError, TimeoutError, ValueError) as error:
                self.failed(f"{type(error).__name__}: {error}")
                return
            ended_s = time.perf_counter()
            if status != 200:
                self.failed(f"{status}: {body[:200]!r}")
                continue
            self.last_s = ended_s
            self.first_answer = self.first_answer or body
            self.sample.requests += 1
            self.sample.latencies_ms.append((ended_s - began_s) * 1000)
            self.tokens += tokens

    def failed(self, why: str) -> None:
        """Count an error."""
        self.sample.errors += 1
        self.sample.first_error = self.sample.first_error or why

    async def run(self) -> Sample:
        """Measure one window."""
        callers = self.load["concurrency"]
        connections = [await connect(HOST, self.target["port"]) for _ in range(callers)]
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        self.last_s = began_s
        until_s = began_s + self.load["window_s"]
        fewest = max(callers, self.load["requests"])
        await asyncio.gather(*(self.call(connection, until_s, fewest) for connection in connections))
        self.sample.client_cpu_s = time.process_time() - began_cpu_s
        self.sample.seconds = self.last_s - began_s
        self.sample.texts = len(self.tokens)
        self.sample.tokens = sum(self.tokens)
        self.sample.flop = work(self.tokens)
        for connection in connections:
            connection.close()
        if self.first_answer:
            rows = vectors(self.first_answer)
            if len(rows) != self.load["per_request"] or any(len(row) != self.target["dimensions"] for row in rows):
                self.failed("the answer has not the right number of vectors or dimensions")
        return self.sample


def request(target: Mapping[str, Any], chosen: list[str]) -> bytes:
    """The bytes of one embeddings request."""
    body = {"model": target["model"], "input": chosen, "encoding_format": target["encoding_format"]}
    return post(HOST, target["port"], target["path"], json.dumps(body).encode())


def vectors(body: bytes) -> list[list[float]]:
    """The vectors of an answer, whether as numbers or as base64."""
    return [decode(row["embedding"]) for row in sorted(json.loads(body)["data"], key=lambda row: row["index"])]


def decode(embedding: list[float] | str) -> list[float]:
    """One vector."""
    return array("f", base64.b64decode(embedding)).tolist() if isinstance(embedding, str) else embedding


async def ask_once(target: Mapping[str, Any], chosen: list[str]) -> list[list[float]]:
    """The vectors of these texts, each asked for alone."""
    connection = await connect(HOST, target["port"])
    rows = []
    try:
        for text in chosen:
            status, body = await asyncio.wait_for(connection.send(request(target, [text])), REQUEST_LIMIT_S)
            if status != 200:
                raise RuntimeError(f"{status}: {body[:300]!r}")
            rows += vectors(body)
    finally:
        connection.close()
    return rows


def measure(target: dict[str, Any], load: dict[str, Any]) -> dict[str, object]:
    """Measure one window (`load`: texts, per_request, concurrency, window_s, serial)."""
    return asyncio.run(Callers(target, load).run()).told()


def embed(target: dict[str, Any], chosen: list[str]) -> list[list[float]]:
    """The vectors of these texts."""
    return asyncio.run(ask_once(target, chosen))


if __name__ == "__main__":
    pipe.serve(lambda: ({}, {"measure": measure, "embed": embed}))
