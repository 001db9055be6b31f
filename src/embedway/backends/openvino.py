"""CPU inference: a family's graph, built straight from config.json and safetensors, compiled and run by OpenVINO."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import openvino

from embedway.backends.openvino_ops import GraphOps
from embedway.backends.packing import Layout, lay_out
from embedway.errors import ModelFilesError
from embedway.models.families import find_family
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.tokens import TextReader
from embedway.models.weights import Weights
from embedway.types import DType, Facts, Features, ModelSpec, Output, Outputs, Text

log = logging.getLogger(__name__)

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_core_lock = threading.Lock()
_core: openvino.Core | None = None


class OpenVinoBackend:
    """One model compiled for the CPU: one stream that uses all `threads`.

    Two streams with an asynchronous queue brought nothing measurable and, with shared input memory, corrupted the heap:
    requests are run one at a time and inputs are copied.
    """

    def __init__(self, files: ModelFiles, recipe: Recipe, spec: ModelSpec, threads: int) -> None:
        self._reader = TextReader(
            files.folder, recipe.max_tokens, recipe.prompts, recipe.lowercase, spec.truncation or "cut"
        )
        vocabulary = recipe.config["vocab_size"]
        if self._reader.vocabulary_size > vocabulary:
            raise ModelFilesError(
                f"The tokenizer knows {self._reader.vocabulary_size} tokens, the model {vocabulary}: "
                "they do not belong together."
            )
        dtype = choose_dtype(spec)
        self.facts = Facts(
            backend="openvino",
            dtype=dtype,
            dimensions=recipe.dimensions,
            max_tokens=recipe.max_tokens,
            outputs=Output.DENSE,
            revision=files.revision,
            matryoshka=spec.matryoshka or recipe.matryoshka,
        )
        self._request = compile_model(build_graph(files, recipe), dtype, threads).create_infer_request()

    def prepare(self, item: Text) -> Features:
        return self._reader.read(item)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        layout = lay_out([features.cost for features in batch])
        vectors: npt.NDArray[np.float32] = self._request.infer(feeds(batch, layout))[0]
        return [Outputs(dense=row) for row in np.ascontiguousarray(vectors, dtype=np.float32)]

    def close(self) -> None:
        del self._request


def choose_dtype(spec: ModelSpec) -> DType:
    """The precision asked for; `auto` is bfloat16 where the CPU computes in it, else float32."""
    native = "BF16" in _shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if spec.dtype == "auto":
        return "bf16" if native else "fp32"
    if spec.dtype == "bf16" and not native:
        log.warning(
            "This CPU has no bfloat16 instructions: '%s' is emulated and many times slower than fp32.", spec.name
        )
    return spec.dtype


def build_graph(files: ModelFiles, recipe: Recipe) -> openvino.Model:
    """Token ids in, one vector for each item out: float32 `[items, dimensions]`."""
    family = find_family(recipe.family)
    family.check(recipe.config)
    with Weights(files.weights(), family.PREFIXES) as weights:
        ops = GraphOps(weights)
        pooled = ops.pool(family.encode(ops, recipe.config, ops.tokens), recipe.pooling)
        vectors = ops.normalize(pooled) if recipe.normalized else pooled
        return openvino.Model([vectors], ops.parameters, recipe.family)


def compile_model(graph: openvino.Model, dtype: DType, threads: int) -> openvino.CompiledModel:
    """Compile for throughput of one batch at a time; float32 is forced where it is asked for."""
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
    }
    return _shared_core().compile_model(graph, "CPU", options)


def feeds(batch: Sequence[Features], layout: Layout) -> dict[str, npt.NDArray[np.generic]]:
    """The graph's inputs for one batch."""
    ids = np.zeros(len(layout.positions), dtype=np.int32)
    packed = np.concatenate([batch[index].ids for index in layout.order])
    ids[: len(packed)] = packed
    inputs: dict[str, npt.NDArray[np.generic]] = {
        "ids": ids,
        "positions": layout.positions,
        "unpack": layout.unpack,
        "rows": layout.rows,
        "first": layout.first,
        "last": layout.last,
    }
    for index, group in enumerate(layout.groups):
        inputs[f"slots{index}"] = group.slots
        inputs[f"mask{index}"] = group.mask
    return inputs


def _shared_core() -> openvino.Core:
    global _core  # one plug-in registry for all models of the process: it takes tens of milliseconds to make
    with _core_lock:
        if _core is None:
            _core = openvino.Core()
        return _core
