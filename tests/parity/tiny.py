"""Tiny models with random weights in the real file formats: how a new family is compared with the library.

    network = BertModel(BertConfig(**sizes))
    folder = tiny.write(tmp_path, network, pooling="mean", limit_tokens=48)
    report(tiny.check(folder))

`test_bert.py` is the pattern.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from tests.reference import compare, make, sentence, texts

from .ours import compute

# Every fifth text: 100 of them, with most groups among them.
SAMPLES = texts.samples()[::5]


def wordpiece() -> PreTrainedTokenizerBase:
    """Return the bundled model's tokenizer: 30,522 WordPiece tokens, lower case."""
    return AutoTokenizer.from_pretrained(make.model_folder(), local_files_only=True)


def scatter(network: PreTrainedModel, seed: int = 0) -> None:
    """Set every parameter at random, biases and norms too, so that none can be forgotten unnoticed.

    Matrices get a spread of 1.5 / sqrt(inputs), so signals keep their size and attention is not flat; norms stay
    near 1; token embeddings are larger than positions, so that texts are told apart.
    """
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=source)
            if parameter.ndim > 1:
                parameter.copy_(1.5 * noise / parameter.shape[-1] ** 0.5)
            else:
                parameter.copy_(0.2 * noise + (1.0 if name.endswith("weight") else 0.0))
        tokens = network.get_input_embeddings()
        assert isinstance(tokens, torch.nn.Embedding)
        tokens.weight.mul_(4)


def write(
    folder: Path,
    network: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    pooling: str = "mean",
    limit_tokens: int = 48,
    normalized: bool = True,
) -> Path:
    """Write a model folder as the library writes it today, and return its path."""
    scatter(network)
    plain = folder / "network"
    network.save_pretrained(plain)
    (tokenizer or wordpiece()).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=limit_tokens)
    modules: list[torch.nn.Module] = [
        transformer,
        Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling),
    ]
    if normalized:
        modules.append(Normalize())
    model = folder / "model"
    SentenceTransformer(modules=modules, device="cpu").save(str(model), create_model_card=False)
    return model


def check(folder: Path) -> compare.Agreement:
    """Require that Embedway and the library agree on this folder: fp32 vectors and token counts."""
    sample_texts = [sample.text for sample in SAMPLES]
    theirs = sentence.encode(folder, sample_texts)
    _require_spread(theirs.vectors)
    ours = compute(str(folder), sample_texts)
    assert ours.tokens.tolist() == theirs.tokens.tolist()
    agreement = compare.agree(theirs.vectors, ours.vectors, [sample.name for sample in SAMPLES])
    agreement.require(compare.FP32_COSINE)
    return agreement


def _require_spread(vectors: NDArray[np.float32]) -> None:
    """Refuse a network that gives all texts much the same vector: agreeing on it would prove nothing."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    typical = float(np.median(units @ units.T))
    assert typical < 0.9, f"the network tells texts apart too little: median cosine {typical:.3f}"
