"""Model folders of any shape with random weights, in the formats in which models are published."""

from __future__ import annotations

import itertools
import json
import math
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from bench.outline import outline

Kind = Literal["wordpiece", "unigram", "bytes"]
PAIRS = ["".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2)]
PART = 1 << 24
"""Numbers that are drawn at once."""


def make(folder: Path, config: Mapping[str, Any], tokenizer: Kind, pooling: str, max_tokens: int, dtype: str) -> None:
    """Write the folder: `dtype` is that of the weights, float32 or bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "config.json", dict(config))
    write(
        folder / "modules.json",
        [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling"), module(2, "2_Normalize", "Normalize")],
    )
    write(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    write(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}": True})
    make_tokenizer(tokenizer, config["vocab_size"]).save(str(folder / "tokenizer.json"))
    write_weights(folder / "model.safetensors", outline(config), dtype)


def module(index: int, path: str, kind: str) -> dict[str, Any]:
    """An entry of `modules.json`."""
    return {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}


def write(path: Path, content: Any) -> None:
    """JSON, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def words() -> Iterator[str]:
    """Pairs of letters, and then pairs of pairs: 457,652 different ones."""
    yield from PAIRS
    for first, second in itertools.product(PAIRS, repeat=2):
        yield first + second


def text(tokens: int, seed: int = 0) -> str:
    """A text of at least so many tokens for every tokenizer made here."""
    chosen = np.random.default_rng(seed).integers(0, len(PAIRS), (tokens, 2))
    return " ".join(PAIRS[first] + PAIRS[second] for first, second in chosen)


def make_tokenizer(kind: Kind, size: int) -> Tokenizer:
    """A tokenizer file of the model's own kind with `size` pieces: BERT's, XLM-RoBERTa's or Qwen's."""
    return {"wordpiece": wordpiece, "unigram": unigram, "bytes": byte_level}[kind](size)


def wordpiece(size: int) -> Tokenizer:
    """`[CLS] text [SEP]`; words that it does not know are taken apart into letters."""
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    pieces = itertools.chain(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], letters, words())
    vocabulary = {piece: index for index, piece in enumerate(itertools.islice(pieces, size))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def unigram(size: int) -> Tokenizer:
    """`<s> text </s>`, as SentencePiece files are converted."""
    pieces = itertools.chain(
        ["<s>", "<pad>", "</s>", "<unk>", "▁", *string.ascii_lowercase], (f"▁{word}" for word in words())
    )
    scored = [(piece, -math.log(2 + index)) for index, piece in enumerate(itertools.islice(pieces, size))]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def byte_level(size: int) -> Tokenizer:
    """Bytes and merges; `<|endoftext|>`, the last piece, ends a text."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = []
    for word in itertools.islice(words(), size - len(pieces) - 1):
        merges.append((word[: len(word) // 2], word[len(word) // 2 :]))
        pieces.append(word)
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    end = tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", end)]
    )
    return tokenizer


def write_weights(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str) -> None:
    """Random tensors, one after the other, so that the whole model is never in memory."""
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float32)
    header, end = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape) * kind.itemsize
        header[name] = {
            "dtype": "BF16" if dtype == "bfloat16" else "F32",
            "shape": shape,
            "data_offsets": [end, end + size],
        }
        end += size
    front = json.dumps(header).encode()
    front += b" " * (-len(front) % 8)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(front).to_bytes(8, "little") + front)
        for name, shape in shapes.items():
            # Matrices keep the size of what goes through them, norms stay near 1, biases near 0.
            spread, middle = (1 / math.sqrt(shape[-1]), 0) if len(shape) > 1 else (1 / 16, name.endswith("weight"))
            for start in range(0, math.prod(shape), PART):
                part = rng.standard_normal(min(PART, math.prod(shape) - start), dtype=np.float32)
                file.write((part * np.float32(spread) + np.float32(middle)).astype(kind).tobytes())
