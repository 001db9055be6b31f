"""What networks of images need of the vocabulary, as an OpenVINO graph, against its definition in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import pytest
from safetensors.numpy import save_file

from embedway.backends.openvino import compile_model, feeds
from embedway.backends.openvino_ops import GraphOps
from embedway.backends.openvino_vision import pack_pixels
from embedway.backends.packing import lay_out
from embedway.models.families.ops import Ops
from embedway.models.weights import Weights
from embedway.types import Features

Array = npt.NDArray[np.float32]
CHANNELS, SIDE, HEADS, WIDTH = 3, 2, 4, 32
PATCH = CHANNELS * SIDE * SIDE
SIZES = (3, 17, 1, 40, 17, 16)
AnyOps = Ops[Any]

NETWORKS: dict[str, Callable[[AnyOps, Any], Any]] = {
    "patches": lambda ops, tokens: ops.pool(patched(ops, tokens), "last"),
    "patches with bias": lambda ops, tokens: ops.pool(patched(ops, tokens, bias=True), "last"),
    "lead": lambda ops, tokens: ops.pool(ops.lead("row", patched(ops, tokens), WIDTH), "mean"),
    "sigmoid": lambda ops, tokens: ops.pool(ops.sigmoid(patched(ops, tokens)), "mean"),
    "attention_pool": lambda ops, tokens: ops.attention_pool("pool", patched(ops, tokens), WIDTH, HEADS),
}
"""Each gives a row for each item."""


def patched(ops: AnyOps, tokens: Any, bias: bool = False) -> Any:
    return ops.patches("patch", tokens.pixels, CHANNELS, SIDE, WIDTH, bias)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    rng = np.random.default_rng(5)
    shapes = {
        "patch.weight": (WIDTH, CHANNELS, SIDE, SIDE),
        "patch.bias": (WIDTH,),
        "row": (WIDTH,),
        "pool.probe": (1, 1, WIDTH),
        "pool.attention.in_proj_weight": (3 * WIDTH, WIDTH),
        "pool.attention.in_proj_bias": (3 * WIDTH,),
    }
    save_file({name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}, path)
    return Weights([path])


@pytest.fixture(scope="module")
def batch() -> list[Features]:
    rng = np.random.default_rng(6)
    none = np.zeros(0, dtype=np.int32)
    return [Features(none, size, pixels=rng.standard_normal((size, PATCH)).astype(np.float32)) for size in SIZES]


def compute(weights: Weights, batch: list[Features], name: str) -> Array:
    ops = GraphOps(weights, max(SIZES))
    model = openvino.Model([NETWORKS[name](ops, ops.tokens)], ops.parameters, "test")
    request = compile_model(model, "fp32", 2).create_infer_request()
    layout = lay_out([one.cost for one in batch])
    given = {**feeds(batch, layout), "pixels": pack_pixels(batch, layout)}
    names = [name for port in request.model_inputs for name in port.get_names()]
    return np.array(request.infer({name: given[name] for name in names})[0])


def seen(weights: Weights, one: Features) -> Array:
    """A convolution, patch by patch."""
    assert one.pixels is not None
    kernel = weights.tensor("patch.weight")
    return np.einsum("pcyx,wcyx->pw", one.pixels.reshape(-1, CHANNELS, SIDE, SIDE), kernel)


def attended(weights: Weights, x: Array) -> Array:
    """Lee et al. 2019, with torch's `MultiheadAttention` for the attention: one head after the other."""
    matrix, shift = weights.tensor("pool.attention.in_proj_weight"), weights.tensor("pool.attention.in_proj_bias")
    q, k, v = (
        rows @ part.T + row
        for rows, part, row in zip(
            (weights.tensor("pool.probe")[0], x, x), np.split(matrix, 3), np.split(shift, 3), strict=True
        )
    )
    heads = []
    for q1, k1, v1 in zip(*(np.split(part, HEADS, axis=1) for part in (q, k, v)), strict=True):
        grown = np.exp(q1 @ k1.T / np.sqrt(q1.shape[1]))
        heads.append(grown / grown.sum() @ v1)
    return np.concatenate(heads, axis=1)[0]


def expected(weights: Weights, one: Features, name: str) -> Array:
    x = seen(weights, one)
    if name == "lead":
        x[0] += weights.tensor("row")
    whole: dict[str, Callable[[], Any]] = {
        "patches": lambda: x[-1],
        "patches with bias": lambda: x[-1] + weights.tensor("patch.bias"),
        "lead": lambda: x.mean(0),
        "sigmoid": lambda: (1 / (1 + np.exp(-x))).mean(0),
        "attention_pool": lambda: attended(weights, x),
    }
    return np.asarray(whole[name]())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_operation_is_what_it_is_defined_as(weights: Weights, batch: list[Features], name: str) -> None:
    """For items of different sizes, in the order of the batch."""
    for row, features in zip(compute(weights, batch, name), batch, strict=True):
        assert row == pytest.approx(expected(weights, features, name), abs=2e-5)
