"""Late interaction, in the three forms of folder that there are."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, PreTrainedModel

from .builder import LIMIT_TOKENS, Builder, fast_tokenizer
from .encoders import MODERN, SIZES

UNSEEN = {"strategy": "fixed", "length": 16, "attend": False}
SEEN = {"strategy": "min", "length": 24, "attend": True}


def _plain(folder: Path, network: PreTrainedModel, tokenizer: str) -> Path:
    plain = folder.parent / "network"
    network.save_pretrained(plain)
    fast_tokenizer(tokenizer).save_pretrained(plain)
    return plain


def _projection() -> Dense:
    nothing = torch.nn.Identity()
    return Dense(48, 32, bias=False, activation_function=nothing, module_input_name="token_embeddings")


def _native(folder: Path, network: PreTrainedModel, tokenizer: str, **knobs: Any) -> None:
    transformer = Transformer(str(_plain(folder, network, tokenizer)), max_seq_length=LIMIT_TOKENS, **knobs)
    mask = MultiVectorMask(skiplist_words=[*string.punctuation, "the"])
    modules = [transformer, _projection(), mask, Normalize(module_input_name="token_embeddings")]
    prompts = {"query": "search: ", "document": "found: "}
    MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu").save(str(folder), create_model_card=False)


def _pylate(folder: Path) -> None:
    """As PyLate saves it: two modules, and everything else in the card."""
    _native(folder, BertModel(BertConfig(**{**SIZES, "vocab_size": 602})), "colbert")
    types = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    named = [
        {"idx": index, "name": str(index), "path": path, "type": kind}
        for index, (path, kind) in enumerate(zip(("", "1_Dense"), types, strict=True))
    ]
    _write(folder / "modules.json", named)
    for extra in ("2_MultiVectorMask", "3_Normalize"):
        (folder / extra / "config.json").unlink()
        (folder / extra).rmdir()
    sizes = {"in_features": 48, "out_features": 32, "bias": False}
    _write(folder / "1_Dense/config.json", {**sizes, "activation_function": "torch.nn.modules.linear.Identity"})
    _write(folder / "sentence_bert_config.json", {"max_seq_length": LIMIT_TOKENS, "do_lower_case": False})
    card = {
        "model_type": "ColBERT",
        "prompts": {},
        "default_prompt_name": None,
        "query_prefix": "[unused0] ",
        "document_prefix": "[unused1] ",
        "query_length": 20,
        "document_length": 40,
        "attend_to_expansion_tokens": False,
        "do_query_expansion": True,
    }
    _write(folder / "config_sentence_transformers.json", card)


def _stanford(folder: Path) -> None:
    """As the authors of ColBERT publish it: the projection among the network's tensors."""
    folder.mkdir(parents=True)
    network = BertModel(BertConfig(**{**SIZES, "vocab_size": 602}), add_pooling_layer=False)
    network.save_pretrained(folder)
    tokenizer = fast_tokenizer("colbert")
    tokenizer.model_max_length = LIMIT_TOKENS
    tokenizer.save_pretrained(folder)
    tensors = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file({**tensors, "linear.weight": torch.zeros(32, 48)}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    _write(folder / "config.json", {**config, "architectures": ["HF_ColBERT"]})
    told = {"query_maxlen": 24, "doc_maxlen": 44, "query_token_id": "[unused0]", "doc_token_id": "[unused1]"}
    _write(folder / "artifact.metadata", {**told, "attend_to_mask_tokens": False, "mask_punctuation": True})


def _write(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


BUILDERS = [
    Builder(
        "late-unseen",
        "wordpiece",
        lambda folder: _native(
            folder, BertModel(BertConfig(**SIZES)), "wordpiece", document_length=40, query_expansion=UNSEEN
        ),
        task="late",
    ),
    Builder(
        "late-seen",
        "roberta",
        lambda folder: _native(
            folder, ModernBertModel(ModernBertConfig(**MODERN)), "roberta", query_length=32, query_expansion=SEEN
        ),
        task="late",
    ),
    Builder("late-pylate", "colbert", _pylate, task="late"),
    Builder("late-stanford", "colbert", _stanford, task="late"),
]
