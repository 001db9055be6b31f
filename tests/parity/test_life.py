"""Copies of one model by different backends take each other's place while it serves, and memory comes back."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import numpy as np

from embedway.backends.footprint import estimate
from embedway.engine.engine import LocalEngine
from embedway.observe import Metrics
from embedway.types import EmbedCall, ModelSpec, Text
from tests.engine.scenes import LIMITS
from tests.tiny import case


def test_backends_are_swapped_under_a_stream_of_calls(tmp_path: Path) -> None:
    """OpenVINO, torch and sentence-transformers in turn; every answer is the model's, whoever computed it."""
    case.load("bert-mean").write(tmp_path)
    first = ModelSpec("m", str(tmp_path), dtype="fp32", backend="openvino", device="cpu")
    others = [dataclasses.replace(first, backend=backend) for backend in ("torch", "sentence", "openvino")]

    async def scenario() -> None:
        engine = LocalEngine([first], LIMITS, Metrics())
        await engine.start()
        call = EmbedCall("m", [Text("some words"), Text("a few others")])
        known = np.array((await engine.embed(call)).vectors)
        over = asyncio.Event()

        async def ask() -> int:
            count = 0
            while not over.is_set():
                assert np.allclose(np.array((await engine.embed(call)).vectors), known, atol=1e-5)
                count += 1
            return count

        asking = [asyncio.create_task(ask()) for _ in range(3)]
        seen = []
        for spec in others * 2:
            assert estimate(spec).held > 0
            await engine.load(spec)
            facts = engine.find("m").facts
            seen.append(facts.backend if facts else "")
        over.set()
        assert min(await asyncio.gather(*asking)) > 5
        assert seen == ["torch", "sentence", "openvino"] * 2
        await engine.stop()

    asyncio.run(asyncio.wait_for(scenario(), 120))
