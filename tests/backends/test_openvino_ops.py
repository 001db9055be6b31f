"""The vocabulary as an OpenVINO graph, each operation against its definition in NumPy."""

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
from embedway.backends.packing import lay_out
from embedway.models.weights import Weights
from embedway.types import Features

Array = npt.NDArray[np.float32]
VOCABULARY, HEADS, DEPTH = 50, 4, 8
WIDTH = HEADS * DEPTH
SIZES = (3, 17, 1, 40, 16, 5)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    rng = np.random.default_rng(5)
    shapes = {
        "words": (VOCABULARY, WIDTH),
        "q.weight": (WIDTH, WIDTH),
        "q.bias": (WIDTH,),
        "kv.weight": (WIDTH // 2, WIDTH),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    save_file({name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}, path)
    return Weights([path])


@pytest.fixture(scope="module")
def batch() -> list[Features]:
    rng = np.random.default_rng(6)
    return [Features(rng.integers(0, VOCABULARY, size, dtype=np.int32), size) for size in SIZES]


def compute(weights: Weights, batch: list[Features], network: Callable[[GraphOps], Any]) -> Array:
    ops = GraphOps(weights)
    model = openvino.Model([network(ops)], ops.parameters, "test")
    request = compile_model(model, "fp32", 2).create_infer_request()
    result: Array = request.infer(feeds(batch, lay_out([one.cost for one in batch])))[0]
    return np.array(result)


def embedded(ops: GraphOps) -> Any:
    return ops.embedding("words", VOCABULARY, WIDTH, ops.tokens.ids)


def softmax(scores: Array) -> Array:
    grown = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(grown / grown.sum(-1, keepdims=True))


def attend(x: Array, q: Array, k: Array, v: Array, kv_heads: int, causal: bool, window: int | None) -> Array:
    """Attention of one item as the paper has it: `[n, width]` -> `[n, width]`."""
    n = len(x)
    ahead = np.arange(n)[None, :] - np.arange(n)[:, None]
    hidden = np.zeros((n, n), dtype=bool)
    if causal:
        hidden |= ahead > 0
    if window is not None:
        hidden |= np.abs(ahead) > window
    out = np.empty((n, HEADS, DEPTH), dtype=np.float32)
    for head in range(HEADS):
        shared = head * kv_heads // HEADS
        scores = q.reshape(n, HEADS, DEPTH)[:, head] @ k.reshape(n, kv_heads, DEPTH)[:, shared].T * DEPTH**-0.5
        scores[hidden] = -np.inf
        out[:, head] = softmax(scores) @ v.reshape(n, kv_heads, DEPTH)[:, shared]
    return out.reshape(n, WIDTH)


@pytest.mark.parametrize(
    ("kv_heads", "causal", "window"),
    [(HEADS, False, None), (2, False, None), (HEADS, True, None), (2, True, 4), (HEADS, False, 3)],
)
def test_attention_is_the_papers_within_each_item(
    weights: Weights, batch: list[Features], kv_heads: int, causal: bool, window: int | None
) -> None:
    """With and without grouped queries, causality and a window; no item sees another."""
    name = "kv" if kv_heads == 2 else "q"
    width = kv_heads * DEPTH

    def network(ops: GraphOps) -> Any:
        x = embedded(ops)
        q = ops.linear("q", x, WIDTH, WIDTH)
        kv = ops.linear(name, x, WIDTH, width, bias=False)
        mixed = ops.attention(q, kv, kv, HEADS, kv_heads=kv_heads, causal=causal, window=window)
        return ops.pool(mixed, "last")

    got = compute(weights, batch, network)
    for row, features in zip(got, batch, strict=True):
        x = weights.tensor("words")[features.ids]
        q = x @ weights.tensor("q.weight").T + weights.tensor("q.bias")
        kv = x @ weights.tensor(f"{name}.weight").T
        assert row == pytest.approx(attend(x, q, kv, kv, kv_heads, causal, window)[-1], abs=2e-4)


@pytest.mark.parametrize("how", ["mean", "max", "cls", "last"])
def test_pooling_sees_an_items_own_tokens_only(weights: Weights, batch: list[Features], how: Any) -> None:
    """And answers in the order of the batch."""
    got = compute(weights, batch, lambda ops: ops.pool(embedded(ops), how))
    reduce: dict[str, Callable[[Array], Array]] = {
        "mean": lambda x: np.asarray(x.mean(0)),
        "max": lambda x: np.asarray(x.max(0)),
        "cls": lambda x: x[0],
        "last": lambda x: x[-1],
    }
    for row, features in zip(got, batch, strict=True):
        assert row == pytest.approx(reduce[how](weights.tensor("words")[features.ids]), abs=1e-5)


def test_layer_norm_gelu_and_normalize(weights: Weights, batch: list[Features]) -> None:
    """Against their formulas; GELU by erf is compared through its tanh form, which differs by less than 1e-3."""

    def network(ops: GraphOps) -> Any:
        x = ops.gelu(ops.layer_norm("norm", embedded(ops), WIDTH, 1e-5), approximate=True)
        return ops.normalize(ops.pool(x, "cls"))

    got = compute(weights, batch, network)
    for row, features in zip(got, batch, strict=True):
        x = weights.tensor("words")[features.ids][0]
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * weights.tensor("norm.weight") + weights.tensor("norm.bias")
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        assert row == pytest.approx(x / np.linalg.norm(x), abs=1e-5)
