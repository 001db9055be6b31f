"""Tiny models as sentence-transformers saves them, on networks that no family covers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import (
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from embedway.backends.base import Backend
from embedway.types import Item, Outputs
from tests.tiny.builders.builder import LIMIT_TOKENS, fast_tokenizer
from tests.tiny.builders.decoders import SIZES as DECODER
from tests.tiny.builders.encoders import SIZES
from tests.tiny.weights import read_shapes, write_weights

TEMPLATE = """{%- for message in messages if message.role == "system" %}
<|im_start|>system
{{ message.content }}<|im_end|>
{% endfor %}
<Query>: {{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
<Document>: {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}<|im_end|>
"""
"""A language model's question, with a place for an instruction."""

SHOWN = """{% for message in messages %}<|im_start|>{{ message.role }}
{% for part in message.content %}{% if part.type == "image" %}<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == "text" %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}"""
"""A template as Qwen2-VL has it."""
SEEING = {
    "depth": 2,
    "embed_dim": 32,
    "num_heads": 2,
    "patch_size": 4,
    "mlp_ratio": 2,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


def save_network(folder: Path, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A plain folder, as transformers saves it, with numbers that tell texts apart."""
    network.save_pretrained(folder)
    write_weights(
        folder / "model.safetensors",
        read_shapes(folder / "model.safetensors"),
        network.config.get_text_config().vocab_size,
    )
    tokenizer.save_pretrained(folder)
    return folder


def save_classifier(folder: Path, **more: Any) -> Path:
    """A sequence classifier on ELECTRA, plain."""
    tokenizer = fast_tokenizer("wordpiece")
    tokenizer.model_max_length = LIMIT_TOKENS
    network = ElectraForSequenceClassification(ElectraConfig(**SIZES, embedding_size=48, **more))
    return save_network(folder, network, tokenizer)


def save_scorer(folder: Path, **more: Any) -> Path:
    """The same for pairs, as the library's `CrossEncoder` saves it."""
    plain = save_classifier(folder / "plain", num_labels=1)
    CrossEncoder(str(plain), device="cpu", **more).save(str(folder / "saved"))
    return folder / "saved"


def save_asking(folder: Path, template: str = TEMPLATE, answers: Sequence[str] = ("yes", "no")) -> Path:
    """A language model with a template for a query and a document, plain."""
    tokenizer = fast_tokenizer("qwen")
    tokenizer.add_tokens(list(answers))
    tokenizer.chat_template = template
    tokenizer.model_max_length = 160
    sizes = {**DECODER, "max_position_embeddings": 512, "vocab_size": len(tokenizer)}
    return save_network(folder, Qwen3ForCausalLM(Qwen3Config(**sizes, tie_word_embeddings=True)), tokenizer)


def save_asked(folder: Path, template: str = TEMPLATE, **more: Any) -> Path:
    """The same with answers of its own, as the library's `CrossEncoder` saves it."""
    plain = save_asking(folder / "plain", template, answers=())
    transformer = Transformer(str(plain), transformer_task="text-generation")
    modules: list[torch.nn.Module] = [transformer, LogitScore(true_token_id=77, false_token_id=78)]
    CrossEncoder(modules=modules, device="cpu", **more).save(str(folder / "saved"), create_model_card=False)
    return folder / "saved"


def save_sparse(folder: Path, **more: Any) -> Path:
    """SPLADE on ELECTRA."""
    network = ElectraForMaskedLM(ElectraConfig(**SIZES, embedding_size=48))
    plain = save_network(folder / "plain", network, fast_tokenizer("wordpiece"))
    transformer = Transformer(str(plain), max_seq_length=LIMIT_TOKENS, transformer_task="fill-mask")
    model = SparseEncoder(modules=[transformer, SpladePooling()], device="cpu", **more)
    model.save(str(folder / "saved"), create_model_card=False)
    return folder / "saved"


def save_seeing(folder: Path, **more: Any) -> Path:
    """Qwen2-VL, as the library saves it; needs torchvision."""
    processor = seeing_processor()
    tokenizer = processor.tokenizer
    image, video, start, end = (
        tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("image_pad", "video_pad", "vision_start", "vision_end")
    )
    config = Qwen2VLConfig(
        text_config={
            **{key: value for key, value in DECODER.items() if key != "head_dim"},  # here the width over the heads
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 256,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 10_000.0},
        },
        vision_config={**SEEING, "hidden_size": DECODER["hidden_size"], "in_channels": 3},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    plain = save_network(folder / "plain", Qwen2VLModel(config), tokenizer)
    processor.save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=128)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu", **more)
    model.save(str(folder / "saved"), create_model_card=False)
    return folder / "saved"


def seeing_processor() -> Any:
    """Qwen2-VL's, with patches small enough for tiny images."""
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    tokenizer = fast_tokenizer("qwen")
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in names]})
    patches = {"patch_size": 4, "merge_size": 2, "temporal_patch_size": 2}
    images = transformers.Qwen2VLImageProcessor(**patches, size={"shortest_edge": 256, "longest_edge": 9216})
    videos = transformers.Qwen2VLVideoProcessor(**patches)
    return transformers.Qwen2VLProcessor(images, tokenizer, videos, chat_template=SHOWN)


def run(backend: Backend, items: Sequence[Item], together: int = 40) -> list[Outputs]:
    """The items' outputs, so many in one batch."""
    features = [backend.prepare(item) for item in items]
    return [
        outputs
        for start in range(0, len(features), together)
        for outputs in backend.run(features[start : start + together])
    ]


def stack_scores(outputs: Sequence[Outputs]) -> np.ndarray:
    """float32 `[items, labels]`."""
    return np.stack([one.scores for one in outputs if one.scores is not None])
