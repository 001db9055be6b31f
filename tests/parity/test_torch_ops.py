"""Every operation of the vocabulary in torch, beside the OpenVINO graph that the ordinary tests prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from embedway.backends.openvino_ops import GraphOps
from embedway.backends.torch import choose_device, choose_dtype
from embedway.backends.torch_ops import TorchOps
from embedway.backends.torch_tokens import TorchTokens, TorchWeights
from embedway.errors import ModelFilesError, SettingsError
from embedway.models.families.ops import Ops
from embedway.models.weights import Weights
from embedway.types import Features, ModelSpec
from tests.backends.test_openvino_ops import DEPTH, HEADS, SIZES, VOCABULARY, WIDTH, Array, batch, compute, weights

__all__ = ["batch", "weights"]  # the fixtures
FREQUENCIES = np.array([1.0, 0.1], dtype=np.float32)
BIAS = np.random.default_rng(8).standard_normal((HEADS, 13)).astype(np.float32)
AnyOps = Ops[Any]
NETWORKS: dict[str, Callable[[AnyOps, Any], Any]] = {
    "linear": lambda ops, x: ops.linear("q", x, WIDTH, WIDTH),
    "linear without bias": lambda ops, x: ops.linear("kv", x, WIDTH, WIDTH // 2, bias=False),
    "layer_norm": lambda ops, x: ops.layer_norm("norm", x, WIDTH, 1e-5),
    "layer_norm without bias": lambda ops, x: ops.layer_norm("norm", x, WIDTH, 1e-5, bias=False),
    "rms_norm": lambda ops, x: ops.rms_norm("norm", x, WIDTH, 1e-6),
    "rms_norm of heads": lambda ops, x: ops.rms_norm("head", x, DEPTH, 1e-6, offset=1.0),
    "rotary": lambda ops, x: ops.rotary(x, HEADS, FREQUENCIES, 1.5),
    "add": lambda ops, x: ops.add(x, ops.scale(x, 0.5)),
    "multiply": lambda ops, x: ops.multiply(x, ops.tanh(x)),
    "split": lambda ops, x: ops.split(x, [8, WIDTH - 8])[1],
    "gelu": lambda ops, x: ops.gelu(x),
    "gelu by tanh": lambda ops, x: ops.gelu(x, approximate=True),
    "relu": lambda ops, x: ops.relu(x),
    "chosen rows": lambda ops, x: ops.choose("words", x, VOCABULARY, WIDTH, (4, 2, 4)),
    "log1p": lambda ops, x: ops.log1p(ops.relu(x)),
    "silu": lambda ops, x: ops.silu(x),
    "attention": lambda ops, x: ops.attention(x, x, x, HEADS),
    "attention scaled": lambda ops, x: ops.attention(x, x, x, HEADS, scale=0.1),
    "attention causal": lambda ops, x: ops.attention(x, x, x, HEADS, causal=True),
    "attention in a window": lambda ops, x: ops.attention(x, x, x, HEADS, window=3),
    "attention causal in a window": lambda ops, x: ops.attention(x, x, x, HEADS, causal=True, window=4),
    "attention with bias": lambda ops, x: ops.attention(x, x, x, HEADS, bias=BIAS),
    "attention grouped": lambda ops, x: grouped(ops, x, causal=False),
    "attention grouped, causal, with bias": lambda ops, x: grouped(ops, x, causal=True, bias=BIAS),
}


def grouped(ops: AnyOps, x: Any, **options: Any) -> Any:
    kv = ops.linear("kv", x, WIDTH, WIDTH // 2, bias=False)
    return ops.attention(x, kv, kv, HEADS, kv_heads=2, **options)


def whole(ops: AnyOps, tokens: Any, name: str, how: Any) -> Any:
    return ops.pool(NETWORKS[name](ops, ops.embedding("words", VOCABULARY, WIDTH, tokens.ids)), how)


def in_torch(weights: Weights, batch: list[Features], name: str, how: Any, dtype: Any = torch.float32) -> Array:
    device = torch.device("cpu")
    tokens = TorchTokens(batch, device)
    ops = TorchOps(TorchWeights(weights, device, dtype, max(SIZES)), tokens)
    with torch.inference_mode():
        return np.asarray(whole(ops, tokens, name, how).float().numpy())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_operation_gives_what_the_graph_gives(weights: Weights, batch: list[Features], name: str) -> None:
    """On items of different lengths, two of which could be seen as one."""
    batch = [*batch, batch[1]]

    def graph(ops: GraphOps) -> Any:
        return whole(ops, ops.tokens, name, "weighted")

    assert in_torch(weights, batch, name, "weighted") == pytest.approx(compute(weights, batch, graph), abs=2e-4)


@pytest.mark.parametrize("how", ["mean", "max", "cls", "last", "weighted"])
def test_pooling_gives_what_the_graph_gives(weights: Weights, batch: list[Features], how: Any) -> None:
    """In the order of the batch."""
    wanted = compute(weights, batch, lambda ops: whole(ops, ops.tokens, "relu", how))
    assert in_torch(weights, batch, "relu", how) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_bf16_is_near_fp32(weights: Weights, batch: list[Features], name: str) -> None:
    """Tensors keep the precision of the model from one operation to the next, or torch would refuse to mix them."""
    exact, near = (in_torch(weights, batch, name, "mean", kind) for kind in (torch.float32, torch.bfloat16))
    assert (exact * near).sum() / np.linalg.norm(exact) / np.linalg.norm(near) > 0.99


def test_a_tensor_of_another_shape_is_refused(weights: Weights) -> None:
    with pytest.raises(ModelFilesError, match="asks for"):
        TorchWeights(weights, torch.device("cpu"), torch.float32, 8).tensor("words", (1, 2))


@pytest.mark.skipif(torch.cuda.is_available(), reason="for a machine without a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    """And without a GPU, auto is the CPU in fp32."""
    with pytest.raises(SettingsError, match="finds 0 GPUs"):
        choose_device(ModelSpec("m", "m", device="cuda:1"))
    with pytest.raises(SettingsError, match="should be auto"):
        choose_device(ModelSpec("m", "m", device="tpu"))
    device = choose_device(ModelSpec("m", "m"))
    assert (device.type, choose_dtype(ModelSpec("m", "m"), device)) == ("cpu", "fp32")
    with pytest.raises(SettingsError, match="int8"):
        choose_dtype(ModelSpec("m", "m", dtype="int8"), device)
