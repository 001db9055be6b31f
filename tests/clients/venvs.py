"""Make the virtual environments of the vendors' clients: `python tests/clients/venvs.py`.

Each group of `requirements/clients-GROUP.txt` gets `.venv-clients/GROUP`, made when it is missing or when its
requirements or the interpreter have changed. The files are whole (`pip freeze`), so nothing is resolved; packages that
come as sources only are built with what `requirements/clients-build.txt` pins.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-clients"
GROUPS = (
    "openai",
    "infinity",
    "searchplat",
    "aisearch",
    "cohere",
    "huggingface",
    "langchain",
    "llamaindex",
    "litellm",
    "searchengine",
    "control",
)
BUILT = ("searchplat", "aisearch", "searchengine", "control")  # groups with packages that come as sources only
PIP_TIMEOUT_S = 300

_PIP = [sys.executable, "-m", "pip"]
_INSTALL = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile", "--no-warn-script-location"]


def ensure(group: str) -> Path:
    """Return the Python of a group's environment; make the environment first when it is missing or stale."""
    folder = FOLDER / group
    stamp = folder / "requirements.sha256"
    with _locked(group):
        wanted = digest(group)
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=False)
            if group in BUILT:
                _install(folder, requirements("build"))
            _install(folder, requirements(group))
            stamp.write_text(wanted)
    return _python(folder)


def requirements(group: str) -> Path:
    return ROOT / "requirements" / f"clients-{group}.txt"


def digest(group: str) -> str:
    """Return what an environment depends on, as one number."""
    parts = [sys.version, *(requirements(name).read_text() for name in ("build", group))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _install(folder: Path, file: Path) -> None:
    command = [*_PIP, "--python", str(_python(folder)), *_INSTALL, "--requirement", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    if ended.returncode:
        raise SystemExit(f"pip could not install {file.name}:\n{ended.stdout}{ended.stderr}")


@contextlib.contextmanager
def _locked(group: str) -> Iterator[None]:
    """Keep a second process from making the same environment at the same time."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{group}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    with ThreadPoolExecutor() as pool:
        for group, python in zip(GROUPS, pool.map(ensure, GROUPS), strict=True):
            print(f"{group}: {python.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
