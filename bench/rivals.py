"""Who is measured, and with which flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.machine import has_bf16
from bench.paths import MODEL, MODEL_ONNX, WORK
from bench.venvs import EMBEDWAY, INFINITY_ONNX, INFINITY_TORCH, ONNX, SENTENCE, SENTENCE_OPENVINO, Venv

MODEL_NAME = "all-MiniLM-L6-v2"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "HF_HOME": str(WORK / "hub")}
Dtype = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Rival:
    """One row of the tables. An HTTP server has a `path`; anything else is a driver that runs in its environment."""

    name: str
    what: str
    venv: Venv
    arguments: tuple[str, ...]
    """HTTP: program and arguments (`{port}` is filled in). In process: the driver's module and its arguments."""
    path: str = ""
    dtype: Dtype = "fp32"
    environment: Mapping[str, str] | None = None
    unless_bf16: bool = True
    if_bf16: bool = True
    """Whether it belongs to the default selection on a machine without and with native bfloat16."""

    @property
    def over_http(self) -> bool:
        """Whether it is a server."""
        return bool(self.path)

    @property
    def chosen(self) -> bool:
        """Whether it belongs to the default selection on this machine."""
        return self.if_bf16 if has_bf16() else self.unless_bf16

    def command(self, port: int = 0) -> list[str]:
        """The process to start."""
        first, *rest = (argument.format(port=port) for argument in self.arguments)
        if self.over_http:
            return [str(self.venv.program(first)), *rest]
        return [str(self.venv.python), "-m", f"bench.drivers.{first}", *rest]


def infinity(*flags: str, model: str = str(MODEL)) -> tuple[str, ...]:
    """infinity's command line. The log level keeps it from writing a line per request."""
    fixed = ("--served-model-name", MODEL_NAME, "--host", "127.0.0.1", "--port", "{port}", "--device", "cpu")
    return ("infinity_emb", "v2", "--model-id", model, *fixed, *flags)


QUIET = ("--log-level", "warning")

RIVALS = (
    Rival(
        "embedway",
        "Embedway over HTTP, as it starts without settings",
        EMBEDWAY,
        ("embedway", "serve", "--host", "127.0.0.1", "--port", "{port}"),
        path="/v1/embeddings",
        dtype="bf16" if has_bf16() else "fp32",
    ),
    Rival(
        "embedway-backend",
        "Embedway's backend in process",
        EMBEDWAY,
        ("embedway_backend",),
        dtype="bf16" if has_bf16() else "fp32",
    ),
    Rival(
        "infinity",
        "infinity_emb 0.0.77 over HTTP, default (torch, BetterTransformer)",
        INFINITY_TORCH,
        infinity("--engine", "torch"),
        path="/embeddings",
        environment=OFFLINE,
    ),
    Rival(
        "infinity-plain",
        "infinity_emb over HTTP, torch without BetterTransformer",
        INFINITY_TORCH,
        infinity("--engine", "torch", "--no-bettertransformer", *QUIET),
        path="/embeddings",
        environment=OFFLINE,
        unless_bf16=False,
        if_bf16=False,
    ),
    Rival(
        "infinity-bf16",
        "infinity_emb over HTTP, torch in bfloat16 without BetterTransformer",
        INFINITY_TORCH,
        infinity("--engine", "torch", "--dtype", "bfloat16", "--no-bettertransformer", *QUIET),
        path="/embeddings",
        dtype="bf16",
        environment=OFFLINE,
        unless_bf16=False,
    ),
    Rival(
        "infinity-onnx",
        "infinity_emb over HTTP, ONNX Runtime (optimum engine, graph optimized)",
        INFINITY_ONNX,
        infinity("--engine", "optimum", "--pooling-method", "mean", *QUIET, model=str(MODEL_ONNX)),
        path="/embeddings",
        environment=OFFLINE,
    ),
    Rival(
        "infinity-onnx-small",
        "infinity_emb over HTTP, ONNX Runtime, batches of 4",
        INFINITY_ONNX,
        infinity("--engine", "optimum", "--pooling-method", "mean", "--batch-size", "4", *QUIET, model=str(MODEL_ONNX)),
        path="/embeddings",
        environment=OFFLINE,
    ),
    Rival("onnxruntime", "plain ONNX Runtime in process, optimized graph, sorted by length", ONNX, ("onnx", "512")),
    Rival(
        "fastembed",
        "fastembed 0.9.1 in process",
        ONNX,
        ("fast", "256"),
        unless_bf16=False,
        if_bf16=False,
    ),
    Rival(
        "sentence-transformers",
        "sentence-transformers 6.2.0 in process (torch)",
        SENTENCE,
        ("sentence", "torch", "float32", "8"),
        environment=OFFLINE,
    ),
    Rival(
        "sentence-transformers-openvino",
        "sentence-transformers 6.2.0 in process (OpenVINO)",
        SENTENCE_OPENVINO,
        ("sentence", "openvino", "float32", "4"),
        dtype="bf16" if has_bf16() else "fp32",
        environment=OFFLINE,
    ),
    Rival(
        "sentence-transformers-bf16",
        "sentence-transformers in process (torch, bfloat16)",
        SENTENCE,
        ("sentence", "torch", "bfloat16", "8"),
        dtype="bf16",
        environment=OFFLINE,
        unless_bf16=False,
    ),
)
BY_NAME = {rival.name: rival for rival in RIVALS}
