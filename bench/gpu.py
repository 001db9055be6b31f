"""`python -m bench gpu`: real shapes on a GPU, beside sentence-transformers, as a share of the card's matrix rate.

Weights are random: they matter neither for time nor for memory. Both sides get the same texts, in bfloat16, and are
timed from text to vector on the host, turn by turn; the library with the best of several batch sizes and its fastest
attention. The share is of the passes alone, without tokenizing, and counts real tokens only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from bench import folders
from bench.shapes import Network, network
from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.types import Features, ModelSpec, Text

SERVICES = ("ops-qwen3-embedding-0.6b", "ops-text-embedding-002")
LENGTHS: Mapping[str, Sequence[int]] = {
    "32": [32] * 2048,
    "512": [512] * 256,
    "8192": [8192] * 16,
    "mixed": [int(2**power) for power in np.random.default_rng(1).uniform(4, 12, 512)],
}
BATCH_TOKENS = 65_536
LIBRARY_BATCHES = (16, 64, 256)
ROUNDS = 3
MATRIX = 8192
PADS = {"bytes": "<|endoftext|>", "unigram": "<pad>", "wordpiece": "[PAD]"}


def run() -> dict[str, Any]:
    """Every shape and length. Ends with one sentence on a machine without a GPU."""
    if not torch.cuda.is_available():
        raise SystemExit("`bench gpu` needs an NVIDIA GPU and a torch with CUDA, and torch finds none here.")
    device = torch.device("cuda:0")
    rate = matrix_rate(device, MATRIX)
    rows: list[dict[str, Any]] = []
    for service in SERVICES:
        one = network(service)
        with tempfile.TemporaryDirectory() as made:
            write_folder(Path(made), one, one.config, 8192)
            rows += compare(Path(made), one.what, one.config, device, LENGTHS, rate)
    return {"gpu": torch.cuda.get_device_name(device), "torch": torch.__version__, "bf16_flops": rate, "rows": rows}


def write_folder(folder: Path, one: Network, config: Mapping[str, Any], max_tokens: int) -> None:
    """A model folder that both sides read."""
    folders.make(folder, config, one.tokenizer, one.pooling, max_tokens, "bfloat16")
    pooling = {"pooling_mode": one.pooling.removesuffix("_token"), "embedding_dimension": config["hidden_size"]}
    folders.write(folder / "1_Pooling" / "config.json", pooling)
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": PADS[one.tokenizer]}
    folders.write(folder / "tokenizer_config.json", told | {"model_max_length": max_tokens})


def compare(
    folder: Path,
    what: str,
    config: Mapping[str, Any],
    device: Any,
    lengths: Mapping[str, Sequence[int]],
    rate: float,
    batches: Sequence[int] = LIBRARY_BATCHES,
) -> list[dict[str, Any]]:
    """A row for each set of lengths: the median seconds of both, ours as a share of `rate`."""
    spec = ModelSpec("gpu", str(folder), dtype="bf16", backend="torch", device=str(device))
    library = open_library(folder, device)
    rows = []
    with closing(open_backend(spec)) as backend, ThreadPoolExecutor() as threads:
        for name, wanted in lengths.items():
            texts = texts_of(backend, wanted)
            features = [backend.prepare(text) for text in texts]
            sides: dict[str, Callable[[], object]] = {
                "pass_s": lambda given=features: run_all(backend, given),
                "embedway_s": lambda given=texts: run_all(backend, list(threads.map(backend.prepare, given))),
            }
            for size in batches:
                sides[f"library_{size}_s"] = lambda given=texts, size=size: library.encode(
                    [text.text for text in given], batch_size=size, show_progress_bar=False
                )
            seconds = in_turns(sides, ROUNDS)
            best = min(seconds[f"library_{size}_s"] for size in batches)
            work = sum(flop(config, one.cost) for one in features)
            told = {"model": what, "lengths": name, "items": len(texts), "tokens": sum(one.cost for one in features)}
            share = work / seconds["pass_s"] / rate
            rows.append(told | seconds | {"share_of_matrix_rate": share, "times_library": best / seconds["embedway_s"]})
            print(f"{what}, {name}: {share:.0%} of the rate, {rows[-1]['times_library']:.1f} x the library", flush=True)
    return rows


def open_library(folder: Path, device: Any) -> Any:
    """sentence-transformers in bfloat16 with FlashAttention where it is installed, else torch's own."""
    attention = "flash_attention_2" if find_spec("flash_attn") and device.type == "cuda" else "sdpa"
    options = {"dtype": torch.bfloat16, "attn_implementation": attention}
    return SentenceTransformer(str(folder), device=str(device), local_files_only=True, model_kwargs=options)


def texts_of(backend: Backend, lengths: Sequence[int]) -> list[Text]:
    """A text of about so many tokens for each length: cut by its own tokenizer's measure, word by word."""
    texts = []
    for seed, wanted in enumerate(lengths):
        words = folders.text(wanted, seed).split(" ")
        tokens = backend.prepare(Text(" ".join(words[: max(1, wanted // 8)]))).cost
        texts.append(Text(" ".join(words[: max(1, wanted * max(1, wanted // 8) // tokens)])))
    return texts


def run_all(backend: Backend, features: Sequence[Features]) -> list[Any]:
    """All vectors, in batches of neighbours in length within the budget."""
    batch: list[Features] = []
    vectors: list[Any] = []
    for one in sorted(features, key=lambda one: one.cost):
        if batch and sum(each.cost for each in batch) + one.cost > BATCH_TOKENS:
            vectors += backend.run(batch)
            batch = []
        batch.append(one)
    return vectors + list(backend.run(batch))


def in_turns(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side, run turn by turn after a first time that does not count. Each ends on the host."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            began_s = time.perf_counter()
            side()
            if turn:
                taken[name].append(time.perf_counter() - began_s)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def matrix_rate(device: Any, size: int) -> float:
    """Operations per second of a square bfloat16 product: the median of ten."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))

    def multiply() -> None:
        product = left @ right
        product[0, 0].item()  # waits for the product

    return 2 * size**3 / in_turns({"s": multiply}, 10)["s"]


def flop(config: Mapping[str, Any], tokens: int) -> int:
    """Operations of one text in the linear layers and in attention; what is causal sees half of the pairs."""
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    gated = "num_key_value_heads" in config
    depth = config.get("head_dim", width // heads)
    kv_heads = config.get("num_key_value_heads", heads)
    linear = 2 * width * heads * depth + 2 * width * kv_heads * depth + (3 if gated else 2) * width * inner
    pairs = tokens * (tokens + 1) // 2 if gated else tokens * tokens
    return int(2 * config["num_hidden_layers"] * (tokens * linear + 2 * pairs * heads * depth))
