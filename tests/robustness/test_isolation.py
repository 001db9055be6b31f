"""One caller's bad text is that caller's alone: everybody else in the same batch gets the right vectors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server import Server
from tests.wire.errors import openai_refusal, vendor_refusal
from tests.wire.exchange import Answer, post

from .running import OPENSEARCH, answers, embed, metric, pending, until

TEXTS = [f"a good text, number {number}" for number in range(63)]


def ask_together(server: Server, calls: list[list[str]]) -> list[Answer]:
    """Send each call from a thread of its own while the model is busy, so that all their texts wait together."""
    with ThreadPoolExecutor(len(calls) + 1) as pool:
        pool.submit(embed, server, "!sleep:1.5" if len(calls) > 30 else "!sleep:0.7")
        until(lambda: pending(server) == 1, 5, "the model is busy")
        asked = [pool.submit(embed, server, *texts) for texts in calls]
        until(lambda: pending(server) == 1 + sum(map(len, calls)), 5, "every text is waiting")
        return [one.result(30) for one in asked]


@pytest.mark.parametrize(("poison", "words"), [("!fail", "failed on this input"), ("!nan", "not finite")])
def test_one_bad_text_among_63(fake: Server, poison: str, words: str) -> None:
    """Of 64 callers whose texts share batches, the one whose text fails or comes back as NaN gets a 500 of its own."""
    failed, batches = metric(fake, "embedway_failed_items_total"), metric(fake, "embedway_batch_items_count")
    *good, bad = ask_together(fake, [*([text] for text in TEXTS), [poison]])
    assert all(answers(answer, text) for answer, text in zip(good, TEXTS, strict=True))
    refusal = openai_refusal(bad, 500)
    assert refusal.code == "model_failed"
    assert words in refusal.message
    assert metric(fake, "embedway_failed_items_total") == failed + 1
    assert metric(fake, "embedway_batch_items_count") - batches < 10, "the texts did not share batches"


def test_a_call_fails_with_one_of_its_texts(fake: Server) -> None:
    """A call with one bad text fails as a whole; the calls beside it do not."""
    good, bad, also_good = ask_together(fake, [TEXTS[:20], [*TEXTS[20:40], "!nan"], TEXTS[40:]])
    assert answers(good, *TEXTS[:20])
    assert answers(also_good, *TEXTS[40:])
    openai_refusal(bad, 500)


def test_a_failure_in_the_vendors_words(fake: Server) -> None:
    """On the platform's routes a failed text is InternalServerError in its envelope; the message shows no stack."""
    refusal = vendor_refusal(post(fake, OPENSEARCH, {"input": ["good", "!fail"]}), 500)
    assert refusal.code == "InternalServerError"
    assert "told to fail" not in refusal.message


def test_many_bad_texts(fake: Server) -> None:
    """When every second text of a batch fails, each of the others is still answered."""
    calls = [[text] if number % 2 else [f"!fail:{number}"] for number, text in enumerate(TEXTS[:30])]
    for answer, call in zip(ask_together(fake, calls), calls, strict=True):
        assert openai_refusal(answer, 500).code == "model_failed" if call[0][0] == "!" else answers(answer, *call)
