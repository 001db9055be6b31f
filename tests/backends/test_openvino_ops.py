"""The vocabulary as an OpenVINO graph, each operation against its definition in NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import openvino
import pytest
from safetensors.numpy import save_file

from embedway.backends import openvino_attention, packing
from embedway.backends.openvino import compile_model, feeds
from embedway.backends.openvino_ops import GraphOps
from embedway.backends.packing import LONG, lay_out
from embedway.errors import ModelFilesError
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
        "head.weight": (DEPTH,),
    }
    save_file({name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}, path)
    return Weights([path])


@pytest.fixture(scope="module")
def batch() -> list[Features]:
    rng = np.random.default_rng(6)
    return [Features(rng.integers(0, VOCABULARY, size, dtype=np.int32), size) for size in SIZES]


def compute(weights: Weights, batch: list[Features], network: Callable[[GraphOps], Any]) -> Array:
    ops = GraphOps(weights, max(SIZES))
    model = openvino.Model([network(ops)], ops.parameters, "test")
    request = compile_model(model, "fp32", 2).create_infer_request()
    given = feeds(batch, lay_out([one.cost for one in batch], [one.seen or one.cost for one in batch]))
    names = [name for port in request.model_inputs for name in port.get_names()]
    result: Array = request.infer({name: given[name] for name in names})[0]
    return np.array(result)


def embedded(ops: GraphOps) -> Any:
    return ops.embedding("words", VOCABULARY, WIDTH, ops.tokens.ids)


def softmax(scores: Array) -> Array:
    grown = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(grown / grown.sum(-1, keepdims=True))


def attend(
    q: Array, k: Array, v: Array, kv_heads: int, causal: bool, window: int | None, bias: Array | None = None
) -> Array:
    """Attention of one item as the paper has it: `[n, width]` -> `[n, width]`."""
    n = len(q)
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
        if bias is not None:
            reach = bias.shape[1] // 2
            scores = scores + bias[head][np.clip(ahead, -reach, reach) + reach]
        scores[hidden] = -np.inf
        out[:, head] = softmax(scores) @ v.reshape(n, kv_heads, DEPTH)[:, shared]
    return out.reshape(n, WIDTH)


@pytest.mark.parametrize("long", [LONG, 16])
@pytest.mark.parametrize(
    ("kv_heads", "causal", "window", "reach"),
    [
        (HEADS, False, None, None),
        (2, False, None, None),
        (HEADS, True, None, None),
        (2, True, None, None),
        (2, True, 4, None),
        (HEADS, False, 3, None),
        (HEADS, False, 20, None),
        (2, True, 16, None),
        (HEADS, False, None, 6),
        (2, True, None, 50),
    ],
)
def test_attention_is_the_papers_within_each_item(
    weights: Weights,
    batch: list[Features],
    kv_heads: int,
    causal: bool,
    window: int | None,
    reach: int | None,
    long: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With and without grouped queries, causality, a window and a bias by distance; no item sees another.

    Also where some of the items count as long, so that their attention is computed piece by piece.
    """
    for module in (packing, openvino_attention):
        monkeypatch.setattr(module, "LONG", long)
    rng = np.random.default_rng(7)
    bias = None if reach is None else rng.standard_normal((HEADS, 2 * reach + 1)).astype(np.float32)
    name = "kv" if kv_heads == 2 else "q"
    width = kv_heads * DEPTH

    def network(ops: GraphOps) -> Any:
        x = embedded(ops)
        q = ops.linear("q", x, WIDTH, WIDTH)
        kv = ops.linear(name, x, WIDTH, width, bias=False)
        mixed = ops.attention(q, kv, kv, HEADS, kv_heads=kv_heads, causal=causal, window=window, bias=bias)
        return ops.pool(mixed, "mean")

    got = compute(weights, batch, network)
    for row, features in zip(got, batch, strict=True):
        x = weights.tensor("words")[features.ids]
        q = x @ weights.tensor("q.weight").T + weights.tensor("q.bias")
        kv = x @ weights.tensor(f"{name}.weight").T
        assert row == pytest.approx(attend(q, kv, kv, kv_heads, causal, window, bias).mean(0), abs=2e-4)


@pytest.mark.parametrize("how", ["mean", "max", "cls", "last", "weighted", "sum"])
def test_pooling_sees_an_items_own_tokens_only(weights: Weights, batch: list[Features], how: Any) -> None:
    """And answers in the order of the batch."""
    got = compute(weights, batch, lambda ops: ops.pool(embedded(ops), how))
    reduce: dict[str, Callable[[Array], Array]] = {
        "mean": lambda x: np.asarray(x.mean(0)),
        "max": lambda x: np.asarray(x.max(0)),
        "cls": lambda x: x[0],
        "last": lambda x: x[-1],
        "sum": lambda x: np.asarray(x.sum(0)),
        "weighted": lambda x: np.asarray(np.average(x, axis=0, weights=np.arange(1, len(x) + 1))),
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


def test_rms_norm_of_whole_rows_and_of_heads(weights: Weights, batch: list[Features]) -> None:
    """Each part of a row is normalised by itself."""
    whole = compute(weights, batch, lambda ops: ops.pool(ops.rms_norm("norm", embedded(ops), WIDTH, 1e-6), "last"))
    parts = compute(
        weights, batch, lambda ops: ops.pool(ops.rms_norm("head", embedded(ops), DEPTH, 1e-6, offset=1.0), "last")
    )
    for row, row_of_parts, features in zip(whole, parts, batch, strict=True):
        x = weights.tensor("words")[features.ids][-1]
        assert row == pytest.approx(x / np.sqrt((x**2).mean() + 1e-6) * weights.tensor("norm.weight"), abs=1e-5)
        y = x.reshape(HEADS, DEPTH)
        y = y / np.sqrt((y**2).mean(1, keepdims=True) + 1e-6) * (1 + weights.tensor("head.weight"))
        assert row_of_parts == pytest.approx(y.reshape(-1), abs=1e-5)


@pytest.mark.parametrize("turned", [DEPTH // 2, 2])
def test_rotary_turns_pairs_by_position(weights: Weights, batch: list[Features], turned: int) -> None:
    """As complex numbers, multiplied by the unit at the position's angle; what is not turned stays."""
    frequencies = (10.0 ** -np.arange(turned)).astype(np.float32)
    got = compute(
        weights, batch, lambda ops: ops.pool(ops.rotary(embedded(ops), HEADS, frequencies, factor=1.5), "last")
    )
    for row, features in zip(got, batch, strict=True):
        x = weights.tensor("words")[features.ids][-1].reshape(HEADS, DEPTH)
        turn = 1.5 * np.exp(1j * (features.cost - 1) * frequencies)
        pairs = (x[:, :turned] + 1j * x[:, turned : 2 * turned]) * turn
        want = np.concatenate([pairs.real, pairs.imag, x[:, 2 * turned :]], axis=1)
        assert row == pytest.approx(want.reshape(-1), abs=1e-4)


def test_arithmetic_and_activations(weights: Weights, batch: list[Features]) -> None:
    """A gate as gated networks have it."""

    def network(ops: GraphOps) -> Any:
        gate, value = ops.split(embedded(ops), [WIDTH // 2, WIDTH // 2])
        gated = ops.multiply(ops.silu(gate), ops.tanh(ops.scale(value, 0.5)))
        return ops.pool(ops.add(gated, ops.relu(gate)), "cls")

    got = compute(weights, batch, network)
    for row, features in zip(got, batch, strict=True):
        gate, value = np.split(weights.tensor("words")[features.ids][0], 2)
        want = gate / (1 + np.exp(-gate)) * np.tanh(0.5 * value) + np.maximum(gate, 0)
        assert row == pytest.approx(want, abs=1e-5)


def test_chosen_rows_of_a_table_and_the_logarithm(weights: Weights, batch: list[Features]) -> None:
    """What answers of language models and terms are made with."""

    def network(ops: GraphOps) -> Any:
        return ops.log1p(ops.relu(ops.choose("words", ops.pool(embedded(ops), "last"), VOCABULARY, WIDTH, (4, 2, 4))))

    table = weights.tensor("words")
    wanted = np.stack([np.log1p(np.maximum(table[[4, 2, 4]] @ table[one.ids[-1]], 0)) for one in batch])
    assert np.allclose(compute(weights, batch, network), wanted, atol=1e-5)


@pytest.mark.parametrize("window", [None, 3])
def test_what_nobody_looks_at_looks_at_the_others(weights: Weights, batch: list[Features], window: int | None) -> None:
    """Tokens behind `seen` get an answer, and change no other token's."""
    half = [dataclasses.replace(one, seen=max(1, one.cost // 2)) for one in batch]

    def network(ops: GraphOps) -> Any:
        x = embedded(ops)
        return ops.attention(x, x, x, HEADS, window=window)

    got = compute(weights, half, network)
    layout = lay_out(SIZES)
    for begin, features in zip(layout.first, half, strict=True):
        x = weights.tensor("words")[features.ids]
        seen = features.seen or 0
        ahead = np.arange(features.cost)[None, :] - np.arange(features.cost)[:, None]
        hidden = np.broadcast_to(np.arange(features.cost) >= seen, ahead.shape) | (
            np.abs(ahead) > (window or features.cost)
        )
        rows = got[begin : begin + features.cost].reshape(-1, HEADS, DEPTH)
        looking = ~hidden.all(1)  # far behind a window there is nothing to see
        for head in range(HEADS):
            part = x.reshape(-1, HEADS, DEPTH)[:, head]
            scores = np.where(hidden, -np.inf, part @ part.T * DEPTH**-0.5)[looking]
            assert np.allclose(rows[looking, head], softmax(scores) @ part, atol=2e-4)


def test_places_shift_and_biases_add(weights: Weights, batch: list[Features]) -> None:
    """`shift` moves ids before a table is read; `plus` adds one row to all."""

    def network(ops: GraphOps) -> Any:
        moved = ops.embedding("words", VOCABULARY, WIDTH, ops.shift(ops.tokens.positions, 3))
        return ops.pool(ops.plus("norm.bias", moved, WIDTH), "last")

    table, row = weights.tensor("words"), weights.tensor("norm.bias")
    wanted = np.stack([table[size - 1 + 3] + row for size in SIZES])
    assert np.allclose(compute(weights, batch, network), wanted, atol=1e-6)


def test_places_are_counted_without_an_id(weights: Weights, batch: list[Features]) -> None:
    """In each item for itself, wherever it stands in the batch; the id itself gets 0."""
    skipped = int(batch[3].ids[7])
    ids = [np.where(np.arange(one.cost) % 3 == 1, skipped, one.ids).astype(np.int32) for one in batch]
    marked = [Features(one, len(one)) for one in ids]

    def network(ops: GraphOps) -> Any:
        return ops.count(ops.tokens.positions, ops.tokens.ids, skipped)

    got = compute(weights, marked, network)
    start = 0
    for index in lay_out(SIZES).order:
        kept = ids[index] != skipped
        assert got[start : start + SIZES[index]].tolist() == (np.cumsum(kept) * kept).tolist()
        start += SIZES[index]


def test_a_family_can_ask_for_a_tensor(weights: Weights) -> None:
    """Whether it is there, and for its numbers."""
    ops = GraphOps(weights, max(SIZES))
    assert ops.has("norm.bias")
    assert not ops.has("head.bias")
    assert np.array_equal(ops.numbers("words", (VOCABULARY, WIDTH)), weights.tensor("words"))
    with pytest.raises(ModelFilesError, match="asks for"):
        ops.numbers("words", (VOCABULARY, WIDTH + 1))


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_weights_in_other_formats_give_their_own_numbers(kind: type, batch: list[Features], tmp_path: Path) -> None:
    """Half precision stays so in the graph, and is computed with in float32."""
    rng = np.random.default_rng(8)
    path = tmp_path / "model.safetensors"
    shapes = {"words": (VOCABULARY, WIDTH), "q.weight": (WIDTH, WIDTH), "q.bias": (WIDTH,)}
    save_file({name: rng.standard_normal(shape).astype(kind) for name, shape in shapes.items()}, path)
    weights = Weights([path])
    got = compute(weights, batch, lambda ops: ops.pool(ops.linear("q", embedded(ops), WIDTH, WIDTH), "last"))
    for row, features in zip(got, batch, strict=True):
        x = weights.tensor("words")[features.ids][-1]
        assert row == pytest.approx(weights.tensor("q.weight") @ x + weights.tensor("q.bias"), abs=1e-4)
