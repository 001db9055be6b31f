"""Networks of a text and a vision tower, plain and with the modules of sentence-transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    SiglipProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.tiny.case import TOKENIZERS

from .builder import Builder, fast_tokenizer

TEXT: Mapping[str, Any] = {
    "vocab_size": 600,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 32,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
VISION: Mapping[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "image_size": 32,
    "patch_size": 8,
}
PADDED: Mapping[str, Any] = {"text": {"padding": "max_length"}}
"""What the cards of SigLIP tell users to ask of the library."""


def _clip(folder: Path, tokenizer: str, **text: Any) -> None:
    config = CLIPConfig(text_config={**TEXT, **text}, vision_config=dict(VISION), projection_dim=40)
    CLIPModel(config).save_pretrained(folder)
    images = CLIPImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32})
    _save(CLIPProcessor(images, _limited(tokenizer)), folder)


def _siglip(folder: Path, size: int = 32) -> None:
    text = {**TEXT, "projection_size": 64, "max_position_embeddings": 24}
    config = SiglipConfig(text_config=text, vision_config={**VISION, "image_size": size})
    SiglipModel(config).save_pretrained(folder)
    images = SiglipImageProcessorPil(size={"height": size, "width": size}, resample=2)
    _save(SiglipProcessor(images, _unmasked()), folder)


def _limited(kind: str, limit_tokens: int = 32) -> PreTrainedTokenizerFast:
    tokenizer = fast_tokenizer(kind)
    tokenizer.model_max_length = limit_tokens
    return tokenizer


def _unmasked(limit_tokens: int = 24) -> PreTrainedTokenizerFast:
    """As SigLIP's: nothing tells the network what is filling."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZERS / "unigram.json"),
        model_max_length=limit_tokens,
        model_input_names=["input_ids"],
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )


def _save(processor: Any, folder: Path) -> None:
    processor.save_pretrained(folder)


def _with_modules(folder: Path, plain: Any, **settings: Any) -> None:
    """As sentence-transformers saves such a network, and a normalisation behind it."""
    plain(folder.parent / "network")
    modules = [Transformer(str(folder.parent / "network"), **settings), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)


def _old_files(folder: Path) -> None:
    """The image processor in a file of its own, as before version 5 of transformers."""
    _siglip(folder, size=36)  # half a patch is left over on the right and below
    (folder / "processor_config.json").unlink()
    SiglipImageProcessorPil(size={"height": 36, "width": 36}).save_pretrained(folder)


BUILDERS = [
    Builder("clip", "roberta", lambda folder: _clip(folder, "roberta"), task="see"),
    # The end token by its own id, not as the highest one; GELU as LAION's networks have it.
    Builder(
        "clip-modules",
        "qwen",
        lambda folder: _with_modules(
            folder, lambda plain: _clip(plain, "qwen", eos_token_id=0, hidden_act="gelu", bos_token_id=1)
        ),
        task="see",
    ),
    Builder("siglip", "unigram", _old_files, task="see"),
    Builder(
        "siglip-modules",
        "unigram",
        lambda folder: _with_modules(folder, _siglip, processing_kwargs=dict(PADDED)),
        task="see",
    ),
]
