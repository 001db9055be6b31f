"""What the reference libraries answer for a tiny model's folder, by what the model is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from tests.reference import sentence

from .texts import PAIRS, TEXTS

Arrays = dict[str, npt.NDArray[Any]]


def embed(folder: Path) -> Arrays:
    """`dense` float32 `[texts, dimensions]` and `counts` int32 `[texts]`, the tokens of each."""
    encoded = sentence.encode(folder, TEXTS)
    require_spread(encoded.vectors)
    return {"dense": encoded.vectors, "counts": encoded.tokens}


def score(folder: Path) -> Arrays:
    """`logits` float32 `[pairs, 1]` as the library's CrossEncoder gives them, each pair alone."""
    model = CrossEncoder(str(folder), local_files_only=True, device="cpu")
    logits = [
        float(model.predict([pair], activation_fn=torch.nn.Identity(), show_progress_bar=False)[0]) for pair in PAIRS
    ]
    scores = [float(model.predict([pair], show_progress_bar=False)[0]) for pair in PAIRS]
    prompt = model.prompts.get(model.default_prompt_name)
    counts = [int(model.preprocess([pair], prompt=prompt)["attention_mask"].sum()) for pair in PAIRS]
    if np.std(logits) < 0.05:
        raise ValueError(f"the network tells pairs apart too little: {np.std(logits):.3f}")
    return {
        "logits": np.array(logits, dtype=np.float32)[:, None],
        "scores": np.array(scores, dtype=np.float32),
        "counts": np.array(counts, dtype=np.int32),
    }


def classify(folder: Path) -> Arrays:
    """`logits` float32 `[texts, labels]` of transformers' own class."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    rows, counts = [], []
    with torch.inference_mode():
        for text in TEXTS:
            features = tokenizer(text, truncation=True, return_tensors="pt")
            rows.append(model(**features).logits[0].numpy())
            counts.append(features["input_ids"].shape[1])
    return {"logits": np.stack(rows), "counts": np.array(counts, dtype=np.int32)}


def three(folder: Path) -> Arrays:
    """BGE-M3's three answers, by the formulas of its paper (arXiv:2402.03216, section 3.1) and FlagEmbedding's choices.

    `terms` float32 `[texts, vocab]`: the largest weight of each token id, special ones left out; `tokens` float32
    `[all tokens but the first of each text, width]`, of length 1.
    """
    answers = embed(folder)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    lexical, late = (load_file(folder / f"{name}_linear.safetensors") for name in ("sparse", "colbert"))
    terms = np.zeros((len(TEXTS), model.config.vocab_size), dtype=np.float32)
    tokens = []
    with torch.inference_mode():
        for row, (text, count) in enumerate(zip(TEXTS, answers["counts"], strict=True)):
            features = tokenizer(text, truncation=True, max_length=int(count), return_tensors="pt")
            hidden = model(**features).last_hidden_state[0]
            weights = torch.relu(torch.nn.functional.linear(hidden, lexical["weight"], lexical["bias"]))[:, 0]
            for number, weight in zip(features["input_ids"][0].tolist(), weights.tolist(), strict=True):
                if number not in tokenizer.all_special_ids:
                    terms[row, number] = max(terms[row, number], weight)
            vectors = torch.nn.functional.linear(hidden[1:], late["weight"], late["bias"])
            tokens.append(torch.nn.functional.normalize(vectors, dim=-1).numpy())
    return answers | {"terms": terms, "tokens": np.concatenate(tokens)}


def late(folder: Path) -> Arrays:
    """`tokens` float32 `[all tokens of all queries, then of all documents, width]`, and `rows` int32 `[texts * 2]`, how
    many of them each text has.
    """
    model = MultiVectorEncoder(str(folder), local_files_only=True, device="cpu")
    vectors = [model.encode_query(text, show_progress_bar=False) for text in TEXTS]
    vectors += [model.encode_document(text, show_progress_bar=False) for text in TEXTS]
    counts = []
    for role in ("query", "document"):
        for text in TEXTS:
            prompt = model.prompts.get(role)
            features = model.preprocess([text], prompt=prompt, task=role)
            mask, filled = features["attention_mask"], features.get("query_expansion_positions")
            counts.append(int((mask.bool() if filled is None else mask.bool() | filled).sum()))
    arrays = [vector.float().numpy() if isinstance(vector, torch.Tensor) else vector for vector in vectors]
    rows = np.array([len(array) for array in arrays], dtype=np.int32)
    return {"tokens": np.concatenate(arrays), "rows": rows, "counts": np.array(counts, dtype=np.int32)}


def weigh(folder: Path) -> Arrays:
    """`terms` float32 `[texts, vocab]` of the library's SparseEncoder."""
    model = SparseEncoder(str(folder), local_files_only=True, device="cpu")
    rows = [
        model.encode(text, convert_to_sparse_tensor=False, show_progress_bar=False).numpy().astype(np.float32)
        for text in TEXTS
    ]
    counts = [int(model.preprocess([text])["attention_mask"].sum()) for text in TEXTS]
    return {"terms": np.stack(rows), "counts": np.array(counts, dtype=np.int32)}


ASKED = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    "provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
ANSWERED = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
TASK = "Given a web search query, retrieve relevant passages that answer the query"


def ask(folder: Path) -> Arrays:
    """As the model card of Qwen3-Reranker says it: `logits` float32 `[pairs, 1]`, that of yes less that of no."""
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    before, behind = (tokenizer.encode(text, add_special_tokens=False) for text in (ASKED, ANSWERED))
    room = tokenizer.model_max_length - len(before) - len(behind)
    answers = tokenizer.convert_tokens_to_ids(["yes", "no"])
    logits, counts = [], []
    for query, document in PAIRS:
        text = f"<Instruct>: {TASK}\n<Query>: {query}\n<Document>: {document}"
        middle = tokenizer(text, truncation=True, max_length=room, add_special_tokens=False)["input_ids"]
        ids = [*before, *middle, *behind]
        with torch.inference_mode():
            yes, no = model(input_ids=torch.tensor([ids])).logits[0, -1, answers].tolist()
        logits.append(yes - no)
        counts.append(len(ids))
    found = np.array(logits, dtype=np.float32)
    return {
        "logits": found[:, None],
        "scores": 1 / (1 + np.exp(-found)),
        "counts": np.array(counts, dtype=np.int32),
    }


ANSWERS: Mapping[str, Callable[[Path], Arrays]] = {
    "ask": ask,
    "classify": classify,
    "embed": embed,
    "late": late,
    "score": score,
    "three": three,
    "weigh": weigh,
}


def require_spread(vectors: npt.NDArray[np.float32]) -> None:
    """Refuse a network that gives all texts much the same vector: agreeing on it would prove nothing."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    typical = float(np.median(units @ units.T))
    if typical > 0.9:
        raise ValueError(f"the network tells texts apart too little: median cosine {typical:.3f}")
