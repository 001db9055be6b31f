"""The logits of encoders with a classifier or a masked-language-model head, beside those of transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import pytest
import torch
import transformers
from transformers import PreTrainedModel

from embedway.backends.openvino import compile_model, feeds, named
from embedway.backends.openvino_ops import GraphOps
from embedway.backends.packing import lay_out
from embedway.models.families import find_family
from embedway.models.folder import read_json
from embedway.models.source import CONFIG
from embedway.models.weights import Weights
from embedway.types import Features
from tests.tiny.builders.encoders import DISTILBERT, MODERN, NTK, ROBERTA, SIZES
from tests.tiny.weights import read_shapes, write_weights

Array = npt.NDArray[np.float32]

LENGTHS = (3, 17, 48, 5, 32)
LABELS = 3
# The class names' beginnings, what to build them with, and whether the network tells two texts of a pair apart.
KINDS: dict[str, tuple[dict[str, Any], bool]] = {
    "Bert": ({**SIZES, "hidden_act": "gelu_new"}, True),
    "Ernie": (dict(SIZES), True),
    "Roberta": ({**ROBERTA, "type_vocab_size": 1}, False),
    "XLMRoberta": ({**ROBERTA, "type_vocab_size": 1}, False),
    "Camembert": ({**ROBERTA, "type_vocab_size": 1}, False),
    "DistilBert": (dict(DISTILBERT), False),
    "MPNet": (dict(ROBERTA), False),
    "Gte": ({**SIZES, "rope_parameters": NTK}, False),
    "ModernBert": (dict(MODERN), False),
}


def build(folder: Path, kind: str, head: str, **more: Any) -> PreTrainedModel:
    """Save a network with this head and repeatable numbers, and load it."""
    config = getattr(transformers, f"{kind}Config")(**{**KINDS[kind][0], **more})
    network = getattr(transformers, f"{kind}For{head}")
    network(config).save_pretrained(folder)
    path = folder / "model.safetensors"
    write_weights(path, read_shapes(path), config.vocab_size)
    loaded: PreTrainedModel = network.from_pretrained(folder).eval()
    return loaded


def make_batch(pairs: bool, lengths: Sequence[int] = LENGTHS) -> list[Features]:
    rng = np.random.default_rng(4)
    return [
        Features(
            ids=rng.integers(5, 600, length, dtype=np.int32),
            cost=length,
            types=(np.arange(length) > length // 2).astype(np.int32) if pairs else None,
        )
        for length in lengths
    ]


def ask(model: PreTrainedModel, one: Features) -> Array:
    """The reference's logits for one item."""
    given = {"input_ids": torch.tensor(one.ids[None].astype(np.int64))}
    if one.types is not None:
        given["token_type_ids"] = torch.tensor(one.types[None].astype(np.int64))
    with torch.no_grad():
        logits: Array = model(**given).logits[0].numpy()
    return logits


def compute(folder: Path, batch: list[Features], head: str) -> Array:
    """Embedway's logits, all items in one batch."""
    config = read_json(folder / CONFIG, dict[str, Any])
    family = find_family(config["model_type"])
    family.check(config)
    ops = GraphOps(Weights([folder / "model.safetensors"], family.PREFIXES), max(one.cost for one in batch))
    logits = getattr(family, head)(ops, config, family.encode(ops, config, ops.tokens))
    graph = openvino.Model([named(logits, "logits")], ops.parameters, "test")
    request = compile_model(graph, "fp32", 2).create_infer_request()
    given = feeds(batch, lay_out([one.cost for one in batch]))
    inputs = [name for port in request.model_inputs for name in port.get_names()]
    return np.array(request.infer({name: given[name] for name in inputs})[0])


@pytest.mark.parametrize(
    ("kind", "more"), [*((kind, {}) for kind in KINDS), ("ModernBert", {"classifier_pooling": "mean"})]
)
def test_a_classifiers_logits_are_the_librarys(
    kind: str, more: dict[str, Any], tmp_path: Path, report: Callable[[object], None]
) -> None:
    """Raw, for each item of a batch of mixed lengths."""
    model = build(tmp_path, kind, "SequenceClassification", num_labels=LABELS, **more)
    batch = make_batch(KINDS[kind][1])
    wanted = np.stack([ask(model, one) for one in batch])
    got = compute(tmp_path, batch, "classify")
    assert got.shape == (len(LENGTHS), LABELS)
    assert np.ptp(wanted, axis=0).min() > 0.1, "the classifier tells the items apart too little to prove anything"
    report(f"largest difference {np.abs(got - wanted).max():.1e}")
    assert np.allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "more"), [*((kind, {}) for kind in KINDS), ("Roberta", {"tie_word_embeddings": False})]
)
def test_the_logits_over_the_vocabulary_are_the_librarys(
    kind: str, more: dict[str, Any], tmp_path: Path, report: Callable[[object], None]
) -> None:
    """For each token, as SPLADE needs them."""
    model = build(tmp_path, kind, "MaskedLM", **more)
    report(compare_terms(model, tmp_path, make_batch(KINDS[kind][1])))


@pytest.mark.parametrize("kind", ["Gte", "ModernBert", "MPNet", "XLMRoberta"])
def test_long_texts_are_read_as_the_library_reads_them(
    kind: str, tmp_path: Path, report: Callable[[object], None]
) -> None:
    """Beyond the last bucket of distances, across many windows, far along the rotary positions."""
    model = build(tmp_path, kind, "MaskedLM", max_position_embeddings=700)
    report(compare_terms(model, tmp_path, make_batch(False, (3, 600, 150))))


def compare_terms(model: PreTrainedModel, folder: Path, batch: list[Features]) -> str:
    """Require equal logits for each token of each item; the largest difference, in words."""
    got = compute(folder, batch, "predict")
    start, largest = 0, 0.0
    for index in lay_out([one.cost for one in batch]).order:
        wanted = ask(model, batch[index])
        assert np.allclose(got[start : start + len(wanted)], wanted, atol=1e-3)
        largest = max(largest, float(np.abs(got[start : start + len(wanted)] - wanted).max()))
        start += len(wanted)
    return f"largest difference {largest:.1e}"
