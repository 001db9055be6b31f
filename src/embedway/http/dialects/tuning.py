"""AI Search Open Platform: vectors that callers bring, made shorter by a reduction that was trained for them.

Source: Alibaba Cloud help, "Vector dimensionality reduction"; the vendor's own sample has a slash at the path's end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import orjson

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, ModelNotFound, NoPermission, SetupError, Unavailable
from embedway.http.exchange import Exchange
from embedway.models.reduction import Reduction, read_reduction
from embedway.settings import ReductionEntry
from embedway.vectors import Floats, shorten

log = logging.getLogger(__name__)

SERVICE = "ops-embedding-dim-reduction-001"
OUTPUT_DIMENSION = 512
"""The documented default. A reduction of shorter vectors gives all that it has."""
MOST_OPEN = 16
"""Reductions that are kept in memory: one for vectors of 4,000 numbers takes 64 MB."""

FindTrained = Callable[[str, str], str | None]
"""Workspace and name -> the folder of what was trained there. Raises `StoreUnavailable`."""


class TuningParameters(msgspec.Struct):
    output_dimension: int | None = None
    model_name: str | None = None


class TuningBody(msgspec.Struct):
    input: list[list[float]]
    parameters: TuningParameters = msgspec.field(default_factory=TuningParameters)


class DocCount(msgspec.Struct):
    doc_count: int


class TuningRows(msgspec.Struct):
    output: list[list[float]]


class TuningReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: DocCount
    result: TuningRows


class Tuning:
    """POST /v3/openapi/workspaces/{workspace}/embedding-tuning/{service_id}."""

    def __init__(self, engine: Engine, reductions: Sequence[ReductionEntry], trained: FindTrained) -> None:
        self._engine = engine
        self._trained = trained
        self._folders = {one.name: one.path for one in reductions}
        self._read: dict[str, Reduction] = {}

    async def __call__(self, exchange: Exchange, body: TuningBody) -> bytes:
        service_id = exchange.request.path_params["service_id"].removesuffix("/")
        if service_id != SERVICE:
            raise ModelNotFound(
                f"The service '{service_id[:200]}' does not reduce vectors: {SERVICE} does.", service_id
            )
        folder = self._folder(exchange, body.parameters.model_name)
        rows = await asyncio.to_thread(self._reduce, folder, body)
        reply = {
            "request_id": exchange.request_id,
            "latency": exchange.elapsed_ms,
            "usage": {"doc_count": len(rows)},
            "result": {"output": rows},
        }
        return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)

    def _folder(self, exchange: Exchange, name: str | None) -> str:
        """Of the reduction that is named: a `[[reduction]]`, a model with one, or one that was trained in the
        workspace. Raises `InvalidInput`, and `NoPermission` for one that the caller may not use.
        """
        field = "$.parameters.model_name"
        if name is None:
            if len(self._folders) != 1:
                raise InvalidInput("model_name, the name of a trained reduction, is required.", field)
            name = next(iter(self._folders))
        if name in self._folders:
            if not exchange.caller.may_use(name):
                raise NoPermission(f"This API key may not use the reduction '{name[:200]}'.")
            return self._folders[name]
        try:
            folder = self._engine.find(name, exchange.caller).spec.reduction
        except ModelNotFound:
            folder = self._trained(exchange.caller.namespace, name)
        if folder is None:
            raise InvalidInput(f"There is no trained reduction '{name[:200]}'.", field)
        return folder

    def _reduce(self, folder: str, body: TuningBody) -> list[Floats]:
        """On a thread: the artefact is read at its first use, and long vectors take a while."""
        reduction = self._open(folder)
        length = _length(body.parameters.output_dimension, reduction.card.width)
        whole = reduction.apply(_rows(body.input, reduction.card.width))
        return [shorten(row, length) for row in whole]

    def _open(self, folder: str) -> Reduction:
        """What a folder holds never changes. Of many, those that were read last are kept."""
        reduction = self._read.pop(folder, None)
        if reduction is None:
            try:
                reduction = read_reduction(Path(folder))
            except SetupError as error:
                log.error("A reduction cannot be used: %s", error.message)  # noqa: TRY400 -- a sentence for who runs it
                raise Unavailable("This reduction cannot be used at present: the server's log says why.") from error
        self._read[folder] = reduction
        for oldest in list(self._read)[:-MOST_OPEN]:
            self._read.pop(oldest, None)
        return reduction


def _length(asked: int | None, width: int) -> int:
    """The length of what is given back. Raises `InvalidInput`."""
    if asked is None:
        return min(OUTPUT_DIMENSION, width)
    if not 1 <= asked <= width:
        raise InvalidInput(
            f"output_dimension must be between 1 and {width}, the length of the vectors.",
            "$.parameters.output_dimension",
        )
    return asked


def _rows(given: Sequence[Sequence[float]], width: int) -> Floats:
    """The vectors, float32 `[n, width]`. Raises `InvalidInput` naming the first that cannot be reduced."""
    if not given:
        raise InvalidInput("input must hold at least one vector.", "$.input")
    for index, vector in enumerate(given):
        if len(vector) != width:
            raise InvalidInput(
                f"This reduction takes vectors of {width} numbers, not of {len(vector)}.", f"$.input[{index}]"
            )
    exact = np.array(given, dtype=np.float64)
    largest = np.abs(exact).max(axis=1, keepdims=True)
    if wrong := np.flatnonzero(~np.isfinite(largest) | (largest == 0)).tolist():
        raise InvalidInput("A vector of zeros has no direction: it cannot be reduced.", f"$.input[{wrong[0]}]")
    return np.asarray(exact / largest, dtype=np.float32)
