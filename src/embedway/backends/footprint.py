"""How much memory a model will need, from the headers of its files, before it is opened.

An upper estimate: each backend's way with weights, as measured (docs/decisions/012-mapped-weights.md and
019-models-that-come-and-go.md), with what the compiled network and a batch of short texts take beside them. A text of
thousands of tokens takes more while it is computed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedway.backends.open import choose_backend
from embedway.models.bundled import weights_header
from embedway.models.families import FAMILIES
from embedway.models.folder import read_json
from embedway.models.source import CONFIG, ModelFiles, find_model
from embedway.models.vision import sees_images
from embedway.types import DType, ModelSpec

WORKSPACE_BYTES = 64 * 2**20
"""The compiled network and the tokenizer."""
WORKSPACE_BYTES_PER_WIDTH = 192 * 2**10
"""The intermediate results of a batch of 2,048 tokens, for each number of a token's vector, as measured."""
_WIDTHS: Mapping[DType, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
_STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of the memory of `device`: `opening` while the model is loaded, `held` once it is."""

    opening: int
    held: int
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class _Tensor:
    """`numbers` of `width` bytes each in the file. A table has rows that are looked up, one for each token."""

    numbers: int
    width: int
    table: bool


def estimate(spec: ModelSpec) -> Need:
    """What the model will need. Fetches it where it is not on this machine; raises `SetupError` as opening it does."""
    if spec.remote is not None or spec.source.partition(":")[0] == "fake":
        return Need(0, 0)
    files = find_model(spec.source, spec.revision)
    backend = choose_backend(spec)
    config = read_json(files.folder / CONFIG, dict[str, Any])
    workspace = _workspace(config)
    ours = config.get("model_type") in FAMILIES or sees_images(files)
    if backend == "openvino" and ours:
        from embedway.backends.openvino import choose_dtype

        dtype = spec.dtype if spec.dtype in ("fp32", "bf16", "int8") else choose_dtype(spec)
        return _in_openvino(list(_tensors(files)), dtype, workspace)
    numbers = sum(tensor.numbers for tensor in _tensors(files))
    if find_spec("torch") is None:  # it will not be opened; opening it says why
        return Need(numbers * 4, numbers * 4)
    from embedway.backends import torch

    device = torch.choose_device(spec)
    amount = numbers * _WIDTHS[torch.choose_dtype(spec, device)] + workspace
    return Need(amount, amount, str(device))


def _in_openvino(tensors: list[_Tensor], dtype: DType, workspace: int) -> Need:
    """Tables stay pages of the file. Matrices are arranged anew in the precision that is computed in; for float32 from
    a file in half precision in two ways, for few and for many tokens. int8 is compared with a float32 copy at first.
    """
    tables = sum(tensor.numbers * tensor.width for tensor in tensors if tensor.table)

    def arranged(precision: DType) -> int:
        return sum(
            tensor.numbers * _WIDTHS[precision] * (2 if precision == "fp32" and tensor.width < 4 else 1)
            for tensor in tensors
            if not tensor.table
        )

    held = tables + arranged(dtype) + workspace
    return Need(held + arranged("fp32") if dtype == "int8" else held, held)


def _workspace(config: Mapping[str, Any]) -> int:
    """What a model needs beside its weights; a config that does not say how wide it is counts as BERT's base size."""
    text = config.get("text_config")
    told = {**(text if isinstance(text, dict) else {}), **config}
    widths = [told[key] for key in ("hidden_size", "dim", "d_model", "n_embd") if isinstance(told.get(key), int)]
    return WORKSPACE_BYTES + WORKSPACE_BYTES_PER_WIDTH * (widths[0] if widths else 768)


def _tensors(files: ModelFiles) -> Iterator[_Tensor]:
    for path in files.weights():
        yield from _in_file(path)


def _in_file(path: Path) -> Iterator[_Tensor]:
    for name, told in json.loads(weights_header(path)).items():
        if name != "__metadata__":
            shape = told.get("shape", [])
            table = "embed" in name and len(shape) == 2
            yield _Tensor(math.prod(shape), _STORED.get(told.get("dtype"), 1), table)
