"""Plain ONNX Runtime in process, as one would write it with care, in float32.

The graph is optimized for transformers (fused attention, layer norm and GELU); the texts are sorted by length and cut
into batches that hold at most so many tokens, padding included, as the argument says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bench.drivers import library
from bench.model import MAX_TOKENS
from bench.paths import MODEL, OPTIMIZED_ONNX


def batches(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Places of the texts of each batch: shortest first, `texts * longest` within the budget."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def open_encode() -> tuple[library.Encode, library.Encode]:
    """A session with the library's defaults: one thread per core, all graph optimizations."""
    budget = int(sys.argv[1])
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    session = onnxruntime.InferenceSession(str(OPTIMIZED_ONNX), providers=["CPUExecutionProvider"])

    def encode(chosen: list[str]):  # type: ignore[no-untyped-def]
        found = [encoding.ids for encoding in tokenizer.encode_batch(chosen)]
        vectors = np.empty((len(chosen), 384), dtype=np.float32)
        for places in batches([len(ids) for ids in found], budget):
            padded = np.zeros((len(places), len(found[places[-1]])), dtype=np.int64)
            mask = np.zeros_like(padded)
            for row, place in enumerate(places):
                padded[row, : len(found[place])] = found[place]
                mask[row, : len(found[place])] = 1
            feed = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
            hidden = session.run(["last_hidden_state"], feed)[0]
            pooled = np.einsum("btd,bt->bd", hidden, mask.astype(np.float32))
            vectors[places] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    return encode, lambda chosen: encode(chosen).tolist()


if __name__ == "__main__":
    library.serve(open_encode)
