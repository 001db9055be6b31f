"""What a builder is, and the pieces that builders share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.tiny.case import TOKENIZERS

LIMIT_TOKENS = 48


@dataclass(frozen=True)
class Builder:
    """`build(folder)` writes the model; `tokenizer` names a file of `tokenizers/`, `task` a function of `reference`."""

    name: str
    tokenizer: str
    build: Callable[[Path], None]
    dtype: str = "float32"
    task: str = "embed"


def fast_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """One of the committed tokenizers, as transformers takes it."""
    wordpiece = {
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "mask_token": "[MASK]",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    special = {
        "wordpiece": wordpiece,
        "colbert": wordpiece,
        "roberta": {
            "unk_token": "<unk>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "mask_token": "<mask>",
        },
        "unigram": {
            "unk_token": "<unk>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "mask_token": "<mask>",
        },
        "qwen": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        "answering": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    }[kind]
    return PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZERS / f"{kind}.json"), **special)


def save_embedder(
    folder: Path,
    network: PreTrainedModel,
    tokenizer: str,
    *,
    pooling: str = "mean",
    after: Sequence[torch.nn.Module] = (),
    normalized: bool = True,
    limit_tokens: int = LIMIT_TOKENS,
) -> None:
    """Save a network as a sentence-transformers model: pooled, then the modules `after`, then normalised."""
    plain = folder.parent / "network"
    network.save_pretrained(plain)
    fast_tokenizer(tokenizer).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=limit_tokens)
    modules: list[torch.nn.Module] = [
        transformer,
        Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling),
        *after,
    ]
    if normalized:
        modules.append(Normalize())
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
