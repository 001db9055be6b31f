"""sentence-transformers in process: `encode`, which sorts the texts by length before it forms batches."""

from __future__ import annotations

import sys

import torch
from sentence_transformers import SentenceTransformer

from bench.drivers import library
from bench.paths import MODEL


def open_encode() -> tuple[library.Encode, library.Encode]:
    """The model on a backend (`torch` or `openvino`), in a precision (`float32` or `bfloat16`), with a batch size.

    OpenVINO chooses its own precision (bfloat16 where the processor has it) and exports the model at every start.
    """
    backend, dtype, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    options = {"export": True} if backend == "openvino" else {"dtype": getattr(torch, dtype)}
    model = SentenceTransformer(str(MODEL), device="cpu", backend=backend, model_kwargs=options, local_files_only=True)
    if model.max_seq_length != 256:
        raise RuntimeError(f"cuts at {model.max_seq_length} tokens, not 256")

    def encode(chosen: list[str]):  # type: ignore[no-untyped-def]
        return model.encode(chosen, batch_size=batch, show_progress_bar=False, convert_to_tensor=True)

    return encode, lambda chosen: encode(chosen).float().tolist()


if __name__ == "__main__":
    library.serve(open_encode)
