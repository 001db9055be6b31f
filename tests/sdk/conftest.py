"""The servers that the clients call, and what each client reports."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.venvs import ensure
from tests.reduce.artefacts import make_all
from tests.server import Server, serving
from tests.tiny import case
from tests.tiny.pictures import PICTURES as FILES
from tests.wire.configs import PICTURES, RANKING, REDUCED, STAND_IN, TOKEN
from tests.wire.exchange import KEY

SCRIPTS = Path(__file__).parents[1] / "clients"
TIMEOUT_S = 120


def run_client(group: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run Python in a group's own environment and return what it prints; it reaches loopback without a proxy."""
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and "proxy" not in name.lower()}
    ended = subprocess.run(
        [str(ensure(group)), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=quiet | {"PYTHONIOENCODING": "utf-8"} | (env or {}),
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def report(group: str, *arguments: str, script: str = "") -> dict[str, Any]:
    """Run the script of a group, or another one in its environment, and return its report."""
    printed = run_client(group, str(SCRIPTS / f"use_{script or group}.py"), *arguments)
    return dict(json.loads(printed.splitlines()[-1]))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an API key, stand-ins for the vendor's ids, and deployments."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--api-key", KEY, config=STAND_IN) as server:
        yield server


@pytest.fixture(scope="session")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys that has one model and a queue of 300 tokens."""
    with serving(tmp_path_factory.mktemp("lone"), "--dtype", "fp32", "--max-queue-tokens", "300") as server:
        yield server


@pytest.fixture(scope="session")
def openai_report(served: Server) -> dict[str, Any]:
    """What the `openai` client reports of the server with a key."""
    return report("openai", served.url, KEY)


@pytest.fixture(scope="session")
def overloaded_report(lone: Server) -> dict[str, Any]:
    """What the `openai` client reports of a server that is asked too much."""
    return report("openai", lone.url, KEY, "overloaded")


@pytest.fixture(scope="session")
def infinity_report(served: Server) -> dict[str, Any]:
    """What `infinity_client` reports of the server with a key."""
    return report("infinity", served.url, KEY)


@pytest.fixture(scope="session")
def lone_infinity_report(lone: Server) -> dict[str, Any]:
    """What `infinity_client` reports of the keyless server with one model."""
    return report("infinity", lone.url)


@pytest.fixture(scope="session")
def searchplat_report(served: Server) -> dict[str, Any]:
    """What the AI Search client reports of the server with a key."""
    return report("searchplat", served.url.removeprefix("http://"), KEY, TOKEN)


@pytest.fixture(scope="session")
def lone_searchplat_report(lone: Server) -> dict[str, Any]:
    """What the AI Search client reports of a keyless server, where any key will do."""
    return report("searchplat", lone.url.removeprefix("http://"), "OS-any", TOKEN)


@pytest.fixture(scope="session")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an API key, the bundled model, a tiny cross-encoder and a tiny classifier."""
    folder = tmp_path_factory.mktemp("ranked")
    for name in ("scorer-bert", "classifier", "bge-m3"):
        (folder / name).mkdir()
        case.load(name).write(folder / name)
    with serving(folder, "--api-key", KEY, config=RANKING.format(folder=folder)) as server:
        yield server


@pytest.fixture(scope="session")
def cohere_report(ranked: Server) -> dict[str, Any]:
    """What Cohere's client reports."""
    return report("cohere", ranked.url, KEY)


@pytest.fixture(scope="session")
def cohere_embed_report(served: Server) -> dict[str, Any]:
    """What Cohere's client reports of embed."""
    return report("cohere", served.url, KEY, script="cohere_embed")


@pytest.fixture(scope="session")
def langchain_report(served: Server) -> dict[str, Any]:
    """What LangChain's `OpenAIEmbeddings` report."""
    return report("langchain", served.url, KEY)


@pytest.fixture(scope="session")
def llamaindex_report(served: Server) -> dict[str, Any]:
    """What LlamaIndex's `OpenAILikeEmbedding` reports."""
    return report("llamaindex", served.url, KEY)


@pytest.fixture(scope="session")
def litellm_report(lone: Server) -> dict[str, Any]:
    """What LiteLLM's adapters report of a keyless server with one model, which one of them does not name."""
    return report("litellm", lone.url, "OS-any")


@pytest.fixture(scope="session")
def infinity_ranking_report(ranked: Server) -> dict[str, Any]:
    """What `infinity_client` reports of rerank and classify."""
    return report("infinity", ranked.url, KEY, script="infinity_ranking")


@pytest.fixture(scope="session")
def huggingface_embed_report(lone: Server) -> dict[str, Any]:
    """What the hub's `InferenceClient` reports of vectors and similarity, from a server with one model."""
    return report("huggingface", lone.url, script="huggingface_embed")


@pytest.fixture(scope="session")
def huggingface_report(ranked: Server) -> dict[str, Any]:
    """What the hub's `InferenceClient` reports."""
    return report("huggingface", ranked.url, KEY)


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an API key and a tiny CLIP."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "clip").mkdir()
    case.load("clip").write(folder / "clip")
    with serving(folder, "--api-key", KEY, config=PICTURES.format(folder=folder)) as server:
        yield server


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two images."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "wide.png").write_bytes(FILES["wide"])
    (folder / "tall.jpg").write_bytes(FILES["large"])
    return folder


@pytest.fixture(scope="session")
def pictures_report(pictured: Server, files: Path) -> dict[str, Any]:
    """What the platform's client reports of texts and images."""
    endpoint = pictured.url.removeprefix("http://")
    return report("searchplat", endpoint, KEY, TOKEN, str(files), script="searchplat_images")


@pytest.fixture(scope="session")
def reduction_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the platform's client reports of a server with trained reductions and an API key."""
    folder = tmp_path_factory.mktemp("reduction")
    make_all(folder)
    with serving(folder, "--api-key", KEY, config=REDUCED.format(folder=folder)) as server:
        endpoint = server.url.removeprefix("http://")
        return report("searchplat", endpoint, KEY, TOKEN, script="searchplat_reduction")


@pytest.fixture(scope="session")
def cohere_images_report(pictured: Server, files: Path) -> dict[str, Any]:
    """What Cohere's client reports of texts and images."""
    return report("cohere", pictured.url, KEY, str(files), script="cohere_images")
