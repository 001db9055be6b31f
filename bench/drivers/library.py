"""What the in-process drivers share: a library is called in a loop with all texts of the load that are in flight.

That is the most favourable reading of the load for a library: all the callers of `1x64` arrive in one list, which it
may sort and batch as it likes. `latency` is the duration of that call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import pipe, texts
from bench.loads import Sample, work

Encode = Callable[[list[str]], list[list[float]]]
"""Texts to normalised vectors, in the order of the texts."""


def serve(open_encode: Callable[[], tuple[Encode, Encode]]) -> None:
    """Open the library, embed once, then answer the benchmark's commands until it ends.

    `open_encode` gives two forms of the same: the one that is measured may return the library's own array type.
    """

    def commands() -> tuple[Any, Mapping[str, Callable[..., Any]]]:
        encode, encode_to_lists = open_encode()
        encode(["the first text"])
        return {}, {"measure": lambda load: measure(encode, load), "embed": lambda chosen: encode_to_lists(chosen)}

    pipe.serve(commands)


def measure(encode: Encode, load: Mapping[str, Any]) -> dict[str, object]:
    """Call the library until the window is over and enough texts were done."""
    chosen_set = texts.load(load["texts"])
    count = load["in_one_call"]
    sample = Sample(0, 0, 0, 0, 0.0, [])
    began_s = ended_s = time.perf_counter()
    fewest = max(count, 2 * texts.BLOCK if load["texts"] == "mixed" else 1)
    while sample.texts < fewest or ended_s < began_s + load["window_s"]:
        chosen, tokens = chosen_set.take(sample.texts, count, load["serial"] + sample.texts)
        asked_s = time.perf_counter()
        rows = encode(chosen)
        ended_s = time.perf_counter()
        if len(rows) != count:
            raise RuntimeError(f"{len(rows)} vectors for {count} texts")
        sample.requests += 1
        sample.texts += count
        sample.tokens += sum(tokens)
        sample.flop += work(tokens)
        sample.latencies_ms.append((ended_s - asked_s) * 1000)
    sample.seconds = ended_s - began_s
    return sample.told()
