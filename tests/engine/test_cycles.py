"""Real models come and go: memory is really given back, and a damaged folder stops nobody else."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embedway.engine.engine import LocalEngine
from embedway.errors import ModelFilesError
from embedway.observe import Metrics
from embedway.types import EmbedCall, ModelSpec, Text
from tests.tiny import case

from .scenes import LIMITS, run, state, until

MIB = 2**20
CYCLES = """
import asyncio, dataclasses, json, sys
from embedway.engine.engine import LocalEngine
from embedway.observe import Metrics
from embedway.types import EmbedCall, ModelSpec, Text
from tests.engine.scenes import LIMITS

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

async def main(count):
    spec = ModelSpec("m", "all-MiniLM-L6-v2", dtype="fp32", backend="openvino")
    engine = LocalEngine((), LIMITS, Metrics())
    await engine.start()
    open_, closed = [], []
    for _ in range(count):
        await engine.load(spec)
        await engine.embed(EmbedCall("m", [Text("word " * 200)] * 8))
        open_.append(resident())
        await engine.unload("m")
        closed.append(resident())
    await engine.stop()
    print(json.dumps([open_, closed]))

asyncio.run(main(int(sys.argv[1])))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_given_back_time_after_time() -> None:
    """The bundled model, four times. After the first, which brings the libraries' own memory, resident memory goes up
    and down by some 20 MiB as the allocators will, and does not grow by what a model takes.
    """
    ended = subprocess.run(
        [sys.executable, "-c", CYCLES, "4"], stdout=subprocess.PIPE, timeout=180, check=True, cwd=Path.cwd()
    )
    opened, closed = json.loads(ended.stdout)
    assert min(opened) - max(closed) > 40 * MIB, "an unloaded model's memory is given back"
    assert max(opened[1:]) < opened[1] + 40 * MIB
    assert max(closed[1:]) < closed[1] + 40 * MIB


def test_a_real_model_is_swapped_for_another_under_a_stream_of_calls(tmp_path: Path) -> None:
    """Two tiny networks of different families take each other's place; each call has one or the other's vector."""
    specs = []
    for name in ("bert-mean", "roberta"):
        (tmp_path / name).mkdir()
        case.load(name).write(tmp_path / name)
        specs.append(ModelSpec("m", str(tmp_path / name), dtype="fp32", backend="openvino"))
    text = "some words"

    async def scenario() -> None:
        engine = LocalEngine(specs[:1], LIMITS, Metrics())
        await engine.start()
        known = [(await engine.embed(EmbedCall("m", [Text(text)]))).vectors[0]]
        await engine.load(specs[1])
        known.append((await engine.embed(EmbedCall("m", [Text(text)]))).vectors[0])
        assert not np.allclose(*known, atol=1e-3)
        over = asyncio.Event()

        async def ask() -> int:
            answers = 0
            while not over.is_set():
                vectors = (await engine.embed(EmbedCall("m", [Text(text)]))).vectors
                assert any(np.allclose(vectors[0], one, atol=1e-6) for one in known)
                answers += 1
            return answers

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for number in range(6):
            await engine.load(specs[number % 2])
        over.set()
        assert sum(await asyncio.gather(*asking)) > 12
        await engine.stop()

    run(scenario())


def test_an_idle_real_model_gives_the_same_vectors_afterwards(tmp_path: Path) -> None:
    """To the bit: it is the same model."""
    case.load("bge-m3").write(tmp_path)
    spec = ModelSpec("m", str(tmp_path), dtype="fp32", backend="openvino", keep_alive_s=0.2)

    async def scenario() -> None:
        engine = LocalEngine([spec], LIMITS, Metrics())
        await engine.start()
        call = EmbedCall("m", [Text("the same words")])
        before = (await engine.embed(call)).vectors[0]
        await until(lambda: state(engine, "m") == "idle")
        assert ((await engine.embed(call)).vectors[0] == before).all()
        await engine.stop()

    run(scenario())


@pytest.mark.parametrize("damage", ["cut", "pickled", "tensor", "architecture"])
def test_a_damaged_folder_is_refused_and_others_serve_on(damage: str, tmp_path: Path) -> None:
    """One sentence without the folder's place in the status; the same with it in the error."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        case.load("bert-mean").write(folder)
    weights, config = bad / "model.safetensors", bad / "config.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "pickled":
        weights.rename(bad / "pytorch_model.bin")
    elif damage == "tensor":
        told = json.loads(config.read_text())
        config.write_text(json.dumps(told | {"num_hidden_layers": told["num_hidden_layers"] + 1}))
    else:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "mamba"}))
    specs = [ModelSpec(folder.name, str(folder), dtype="fp32", backend="openvino") for folder in (good, bad)]

    async def scenario() -> None:
        engine = LocalEngine([specs[0], dataclasses.replace(specs[1], required=False)], LIMITS, Metrics())
        await engine.start()
        status = engine.find("bad")
        assert (status.state, status.ready) == ("failed", False)
        assert status.reason.endswith(".")
        assert str(tmp_path) not in status.reason
        with pytest.raises(ModelFilesError):
            await engine.load(specs[1])
        assert len((await engine.embed(EmbedCall("good", [Text("well")]))).vectors) == 1
        await engine.stop()

    run(scenario())
