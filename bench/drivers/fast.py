"""fastembed in process, with the exported graph in place of the one it would download, its default batch of 256.

It pads each batch to its longest text and does not sort. The argument is the batch size; 256 is its own default.
"""

from __future__ import annotations

import sys

import numpy as np
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

from bench.drivers import library
from bench.paths import MODEL_ONNX

NAME = "bench/all-MiniLM-L6-v2"


def open_encode() -> tuple[library.Encode, library.Encode]:
    """The model under a name of its own, since the built-in entry would be fetched."""
    batch = int(sys.argv[1])
    TextEmbedding.add_custom_model(
        model=NAME,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=NAME),
        dim=384,
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding(NAME, specific_model_path=str(MODEL_ONNX))

    def encode(chosen: list[str]):  # type: ignore[no-untyped-def]
        return list(model.embed(chosen, batch_size=batch))

    return encode, lambda chosen: np.stack(encode(chosen)).tolist()


if __name__ == "__main__":
    library.serve(open_encode)
