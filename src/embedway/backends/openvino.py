"""CPU inference: a family's graph, built straight from config.json and safetensors, compiled and run by OpenVINO."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import openvino

from embedway.backends.agreement import measure
from embedway.backends.openvino_ops import GraphOps
from embedway.backends.packed import Computed, PackedBackend
from embedway.backends.packing import Layout, lay_out
from embedway.errors import SettingsError
from embedway.models.families import find_family
from embedway.models.heads import attach
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.weights import Weights
from embedway.types import DType, Features, ModelSpec

log = logging.getLogger(__name__)

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
INT8_GROUP = 64
"""Numbers of a token that are quantised with one scale. Larger is faster and coarser."""
_core_lock = threading.Lock()
_core: openvino.Core | None = None


class OpenVinoBackend(PackedBackend):
    """One model compiled for the CPU: one stream that uses all `threads`.

    Two streams with an asynchronous queue brought nothing measurable and, with shared input memory, corrupted the heap:
    requests are run one at a time and inputs are copied.
    """

    def __init__(self, files: ModelFiles, recipe: Recipe, spec: ModelSpec, threads: int) -> None:
        dtype = choose_dtype(spec)
        if dtype == "int8" and recipe.heads.dense is None:
            raise SettingsError(
                f"int8 is measured by vectors, and the model '{spec.name}' gives none: choose fp32 or bf16 for it."
            )
        super().__init__("openvino", files, recipe, spec, dtype)
        self._weights = open_weights(files, recipe)  # what is compiled reads them
        compiled = compile_model(build_graph(self._weights, recipe, dtype), dtype, threads)
        self._inputs = {name for port in compiled.inputs for name in port.get_names()}
        self._outputs = [port.get_any_name() for port in compiled.outputs]
        self._request = compiled.create_infer_request()
        self.compute([Features(ids=np.zeros(1, dtype=np.int32), cost=1)])  # the first pass arranges the weights
        self._weights.release()
        if dtype == "int8":
            exact = dataclasses.replace(spec, dtype="fp32")
            agreement = measure(lambda: OpenVinoBackend(files, recipe, exact, threads), self)
            self.facts = dataclasses.replace(self.facts, agreement=agreement)

    def compute(self, batch: Sequence[Features]) -> Computed:
        layout = lay_out([one.cost for one in batch], [one.seen or one.cost for one in batch])
        given = feeds(batch, layout)
        results = self._request.infer({name: given[name] for name in self._inputs})
        parts = {name: np.asarray(part) for name, part in zip(self._outputs, results.values(), strict=True)}
        return Computed(parts, layout.first)

    def close(self) -> None:
        del self._request, self._weights


def open_weights(files: ModelFiles, recipe: Recipe) -> Weights:
    """The tensors of the network and of what comes behind it. Raises `ModelFilesError`."""
    return Weights(files.weights(), find_family(recipe.family).PREFIXES, recipe.mounts)


def choose_dtype(spec: ModelSpec) -> DType:
    """The precision asked for; `auto` is bfloat16 where the CPU computes in it, else float32.

    Raises `SettingsError` for float16, in which CPUs do not compute.
    """
    native = computes_in_bf16()
    if spec.dtype == "fp16":
        raise SettingsError(f"The model '{spec.name}' cannot run in fp16 on the CPU: choose bf16, fp32 or int8.")
    if spec.dtype == "auto":
        return "bf16" if native else "fp32"
    if spec.dtype == "bf16" and not native:
        log.warning(
            "This CPU has no bfloat16 instructions: '%s' is emulated and many times slower than fp32.", spec.name
        )
    return spec.dtype


def computes_in_bf16() -> bool:
    """Whether this CPU has instructions for bfloat16."""
    return "BF16" in _shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def build_graph(weights: Weights, recipe: Recipe, dtype: DType = "fp32") -> openvino.Model:
    """Tokens in; out, by the heads' names, what `Computed` describes, float32. It shares the memory of `weights`."""
    family = find_family(recipe.family)
    family.check(recipe.config)
    ops = GraphOps(weights, recipe.max_tokens, int8=dtype == "int8")
    hidden = family.encode(ops, recipe.config, ops.tokens)
    parts = attach(ops, recipe.heads, family, recipe.config, hidden)
    return openvino.Model([named(node, name) for name, node in parts.items()], ops.parameters, recipe.family)


def named(node: openvino.Node, name: str) -> openvino.Node:
    """The graph's output under a name."""
    result = openvino.opset13.result(node)
    result.get_output_tensor(0).set_names({name})
    return result


def compile_model(graph: openvino.Model, dtype: DType, threads: int) -> openvino.CompiledModel:
    """Compile for throughput of one batch at a time; float32 is forced where it is asked for."""
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _PRECISIONS.get(dtype) or ("bf16" if computes_in_bf16() else "f32"),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": INT8_GROUP if dtype == "int8" else 0,
    }
    return _shared_core().compile_model(graph, "CPU", options)


def feeds(batch: Sequence[Features], layout: Layout) -> dict[str, npt.NDArray[np.generic]]:
    """Every input that a graph may have, for one batch."""
    types = np.zeros(len(layout.positions), dtype=np.int32)
    ids = np.zeros(len(layout.positions), dtype=np.int32)
    start = 0
    for index in layout.order:
        features = batch[index]
        ids[start : start + features.cost] = features.ids
        if features.types is not None:
            types[start : start + features.cost] = features.types
        start += features.cost
    inputs: dict[str, npt.NDArray[np.generic]] = {
        "ids": ids,
        "types": types,
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
