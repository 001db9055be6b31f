"""What networks of images need of the vocabulary, in torch, beside the OpenVINO graph that the ordinary tests prove."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from embedway.backends.torch_ops import TorchOps
from embedway.backends.torch_tokens import TorchTokens, TorchWeights
from embedway.models.weights import Weights
from embedway.types import Features
from tests.backends.test_vision_ops import NETWORKS, SIZES, Array, batch, compute, weights

__all__ = ["batch", "weights"]  # the fixtures


def in_torch(weights: Weights, batch: list[Features], name: str, dtype: Any) -> Array:
    device = torch.device("cpu")
    ops = TorchOps(TorchWeights(weights, device, dtype, max(SIZES)), TorchTokens(batch, device))
    with torch.inference_mode():
        return np.asarray(NETWORKS[name](ops, ops.tokens).float().numpy())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_operation_gives_what_the_graph_gives(weights: Weights, batch: list[Features], name: str) -> None:
    """In float32; in bfloat16 it is near."""
    wanted = compute(weights, batch, name)
    assert in_torch(weights, batch, name, torch.float32) == pytest.approx(wanted, abs=2e-5)
    near = in_torch(weights, batch, name, torch.bfloat16)
    assert (wanted * near).sum() / np.linalg.norm(wanted) / np.linalg.norm(near) > 0.999
