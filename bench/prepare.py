"""Everything that is made before measuring: environments, model folder, texts, exported graphs, reference vectors."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from bench import model, texts, venvs
from bench.paths import LOGS, MODEL_ONNX, OPTIMIZED_ONNX, REFERENCE, REPOSITORY, TEXTS
from bench.pipe import Child
from bench.processes import clean_environment
from bench.rivals import BY_NAME, Rival
from bench.running import Running

CHECKED_PER_SET = 32


def prepare(rivals: Iterable[Rival]) -> None:
    """Make what these rivals need and what is not there yet."""
    for venv in dict.fromkeys([venvs.SENTENCE, *(rival.venv for rival in rivals)]):
        venvs.make(venv)
    model.prepare()
    if not TEXTS.exists():
        run_driver("make_texts")
    if not (OPTIMIZED_ONNX.exists() and (MODEL_ONNX / "onnx" / "model.onnx").exists()):
        run_driver("export_onnx")
    reference()


def run_driver(name: str) -> None:
    """Run a driver once in the environment of sentence-transformers; what it says goes to its log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"running {name}", flush=True)
    command = [str(venvs.SENTENCE.python), "-m", f"bench.drivers.{name}"]
    with (LOGS / f"{name}.txt").open("wb") as log:
        done = subprocess.run(
            command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, env=clean_environment({}), check=False
        )
    if done.returncode:
        raise RuntimeError(f"{name} failed; see {LOGS / name}.txt")


def checked_texts() -> list[str]:
    """The texts whose vectors are compared: the first block of each set."""
    chosen: list[str] = []
    for name in texts.NAMES:
        chosen += texts.load(name).take(0, CHECKED_PER_SET, 0)[0]
    return chosen


def reference() -> list[list[float]]:
    """The vectors of `checked_texts` as sentence-transformers computes them in float32, each text alone; made once."""
    wanted = {"texts": texts.digest(), "packages": venvs.SENTENCE.digest}
    if REFERENCE.exists():
        stored = json.loads(REFERENCE.read_text())
        if stored["of"] == wanted:
            rows: list[list[float]] = stored["vectors"]
            return rows
    rival = BY_NAME["sentence-transformers"]
    child = Child("reference", rival.command(), clean_environment(rival.environment or {}))
    try:
        rows = [child.ask(60.0, do="embed", chosen=[text])[0] for text in checked_texts()]
    finally:
        child.close()
    REFERENCE.write_text(json.dumps({"of": wanted, "vectors": rows}))
    return rows


@dataclass(frozen=True)
class Accuracy:
    """Cosine between a rival's vectors and the reference: smallest and mean over the checked texts."""

    cosine_min: float
    cosine_mean: float


def check(running: Running) -> Accuracy:
    """Compare a rival's vectors with the reference."""
    cosines = [cosine(got, wanted) for got, wanted in zip(running.embed(checked_texts()), reference(), strict=True)]
    return Accuracy(min(cosines), sum(cosines) / len(cosines))


def cosine(left: list[float], right: list[float]) -> float:
    """Cosine of two vectors."""
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return dot / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
