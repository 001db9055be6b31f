"""Train the small tokenizers of `tokenizers/` on the sample texts. Run once: `python -m tests.tiny.tokens`.

Real file formats, as the fast tokenizers of the families have them, with vocabularies small enough to commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tests.reference import texts

from .case import TOKENIZERS

SIZE = 600


def wordpiece() -> Tokenizer:
    """As BERT's: lower case, `[CLS] text [SEP]`."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts.texts(),
        trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=special, limit_alphabet=150, show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def byte_level(special: list[str], more: Sequence[str] = ()) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*texts.texts(), *more], trainer)
    return tokenizer


def roberta() -> Tokenizer:
    """As RoBERTa's and ModernBERT's: byte-level, `<s> text </s>`."""
    tokenizer = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def qwen() -> Tokenizer:
    """As Qwen3-Embedding's: byte-level, no beginning, `<|endoftext|>` at the end."""
    tokenizer = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <|endoftext|>:0",
        pair="$A:0 <|endoftext|>:0 $B:1 <|endoftext|>:1",
        special_tokens=[("<|endoftext|>", 0)],
    )
    return tokenizer


def answering() -> Tokenizer:
    """As Qwen3-Reranker's: one that can say yes and no in one token."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    return byte_level(special, ["yes", "no"] * 1000)


def colbert() -> Tokenizer:
    """As ColBERT's: with places in the vocabulary for markers, which as text would be taken apart."""
    model = json.loads((TOKENIZERS / "wordpiece.json").read_text(encoding="utf-8"))
    for marker in ("[unused0]", "[unused1]"):
        model["model"]["vocab"][marker] = len(model["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(model))


def unigram() -> Tokenizer:
    """As XLM-RoBERTa's: SentencePiece unigram, `<s> text </s>`."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    special = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)]
    trainer = trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=special, unk_token="<unk>", show_progress=False)
    # The method needs a place for every character: other scripts than the plain one are unknown to it.
    tokenizer.train_from_iterator([text for text in texts.texts() if text.isascii()], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def main() -> None:
    TOKENIZERS.mkdir(exist_ok=True)
    for make in (wordpiece, roberta, qwen, unigram, answering, colbert):
        tokenizer = make()
        path = TOKENIZERS / f"{make.__name__}.json"
        tokenizer.save(str(path), pretty=False)
        print(f"{path.name}: {tokenizer.get_vocab_size()} tokens, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
