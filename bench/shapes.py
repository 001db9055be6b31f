"""Every known text id at its real shape: random weights, the id's longest text, on this machine.

What the weights are does not matter for time and memory; which tensors there are comes from the family itself. An id's
first network whose family there is, is taken.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import folders, machine
from bench.folders import Kind
from bench.paths import REPOSITORY
from embedway.models.families import FAMILIES
from embedway.models.services import SERVICES

LIMIT_S = 10800.0


@dataclass(frozen=True)
class Network:
    """A network in its real shape, and what it is. `changes` say where it differs from what is published."""

    what: str
    config: Mapping[str, Any]
    tokenizer: Kind
    pooling: str
    changes: str = ""


def _bert(width: int, layers: int, vocabulary: int, positions: int) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": 2,
    }


def _qwen(
    family: str, width: int, layers: int, heads: int, kv_heads: int, inner: int, vocabulary: int
) -> dict[str, Any]:
    return {
        "model_type": family,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": 128,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000,
    }


_XLM_R_LARGE = _bert(1024, 24, 250_002, 8194) | {
    "model_type": "xlm-roberta",
    "pad_token_id": 1,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}
_GTE = _bert(768, 12, 250_048, 8192) | {
    "model_type": "new",
    "type_vocab_size": 1,
    "position_embedding_type": "rope",
    "rope_theta": 20_000,
    "rope_scaling": {"type": "ntk", "factor": 8.0},
    "layer_norm_type": "layer_norm",
    "pack_qkv": True,
    "hidden_act": "gelu",
    "logn_attention_scale": False,
    "logn_attention_clip1": False,
}

NETWORKS: Mapping[str, tuple[Network, ...]] = {
    "ops-text-embedding-001": (
        Network(
            "gte-Qwen2-1.5B-instruct",
            _qwen("qwen2", 1536, 28, 12, 2, 8960, 151_646),
            "bytes",
            "lasttoken",
            "a stand-in: the weights behind this id are not public",
        ),
    ),
    "ops-text-embedding-zh-001": (
        Network(
            "BERT-base, Chinese", _bert(768, 12, 21_128, 1024), "wordpiece", "cls_token", "positions for 1,024 tokens"
        ),
    ),
    "ops-text-embedding-en-001": (Network("BERT-base", _bert(768, 12, 30_522, 512), "wordpiece", "cls_token"),),
    "ops-text-embedding-002": (
        Network("bge-m3 (XLM-RoBERTa large)", _XLM_R_LARGE, "unigram", "cls_token"),
        Network("bge-m3's shape", _bert(1024, 24, 250_002, 8192), "unigram", "cls_token", "as BERT"),
    ),
    "ops-gte-sentence-embedding-multilingual-base": (
        Network("gte-multilingual-base", _GTE, "unigram", "cls_token"),
        Network("gte-multilingual-base's shape", _bert(768, 12, 250_048, 8192), "unigram", "cls_token", "as BERT"),
    ),
    "ops-qwen3-embedding-0.6b": (
        Network("Qwen3-Embedding-0.6B", _qwen("qwen3", 1024, 28, 16, 8, 3072, 151_669), "bytes", "lasttoken"),
    ),
}
"""The networks that can stand for each id, the nearest first."""


def network(service: str) -> Network:
    """The id's first network whose family there is."""
    return next(one for one in NETWORKS[service] if one.config["model_type"] in FAMILIES)


def smaller(one: Network, layers: int | None, vocabulary: int | None = None) -> dict[str, Any]:
    """The network's config with fewer layers and words, for trying out; None leaves them as they are."""
    changes = {"num_hidden_layers": layers, "vocab_size": vocabulary}
    return {**one.config, **{key: value for key, value in changes.items() if value is not None}}


def measure(service: str, stored: str, place: Path, layers: int | None = None, dtype: str = "auto") -> dict[str, Any]:
    """One id in a process of its own: time, memory and dimensions, or why it failed."""
    one, known = network(service), SERVICES[service]
    with tempfile.TemporaryDirectory(dir=place) as made:
        folder = Path(made)
        config = smaller(one, layers)
        folders.make(folder, config, one.tokenizer, one.pooling, known.max_tokens, stored)
        file_mib = (folder / "model.safetensors").stat().st_size // 2**20
        command = [sys.executable, "-m", "bench.drivers.shape", made, str(known.max_tokens), dtype]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    told = {"service": service, "network": one.what, "changes": one.changes, "stored": stored, "file_mib": file_mib}
    told |= {"layers": config["num_hidden_layers"], "layers_published": one.config["num_hidden_layers"]}
    if done.returncode:
        return told | {"failure": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    wrong = answer["dimensions"] != known.dimensions
    return told | answer | ({"failure": f"the id has {known.dimensions} dimensions"} if wrong else {})


def run(
    services: Iterable[str], stored: str, place: Path, layers: int | None = None, dtype: str = "auto"
) -> dict[str, Any]:
    """All these ids, one after the other, each said as it is done."""
    began_s = time.perf_counter()
    rows = []
    for service in services:
        rows.append(measure(service, stored, place, layers, dtype))
        print(sentence(rows[-1]), flush=True)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "duration_s": round(time.perf_counter() - began_s, 1),
        "shapes": rows,
    }


def sentence(row: Mapping[str, Any]) -> str:
    """What was found for one id."""
    if "failure" in row:
        return f"{row['service']} ({row['network']}): FAILED: {row['failure']}"
    return (
        f"{row['service']} ({row['network']}): {row['tokens']:,} tokens -> {row['dimensions']} dimensions in "
        f"{row['run_s']} s with {row['layers']} of {row['layers_published']} layers, {row['dtype']}; peak "
        f"{row['peak_mib']:,} MiB, after opening "
        f"{row['opened']['resident_mib']:,} MiB, file {row['file_mib']:,} MiB {row['stored']}"
    )
