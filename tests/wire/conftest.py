"""The servers that the wire tests share: started once a session, when the first test asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.services import Misbehaving, Question, Reply, misbehaving
from tests.reduce.artefacts import make_all
from tests.server import Server, serving
from tests.tiny import case

from .configs import KEYED, PICTURES, RANKING, REDUCED, STAND_IN
from .registry import INSTANCE, REGISTRY, SAMPLE, create


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without any key or configuration file: one model, the bundled one, on loopback."""
    with serving(tmp_path_factory.mktemp("plain"), "--dtype", "fp32") as server:
        yield server


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an API key, two models, aliases and two deployments."""
    with serving(tmp_path_factory.mktemp("keyed"), config=KEYED) as server:
        yield server


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A keyless server where the bundled model answers for the vendor's six text models; with the deployments."""
    with serving(tmp_path_factory.mktemp("stand-in"), config=STAND_IN) as server:
        yield server


@pytest.fixture(scope="session")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A keyless server with the bundled model, a tiny cross-encoder, a tiny classifier and a tiny bge-m3."""
    folder = tmp_path_factory.mktemp("ranking")
    for name in ("scorer-bert", "classifier", "bge-m3"):
        (folder / name).mkdir()
        case.load(name).write(folder / name)
    with serving(folder, config=RANKING.format(folder=folder)) as server:
        yield server


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A keyless server with a tiny CLIP under the vendor's ids, and a deployment of it."""
    folder = tmp_path_factory.mktemp("pictured")
    (folder / "clip").mkdir()
    case.load("clip").write(folder / "clip")
    with serving(folder, config=PICTURES.format(folder=folder)) as server:
        yield server


@pytest.fixture(scope="session")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A keyless server with a model behind a trained reduction, a deployment of it, and reductions of vectors."""
    folder = tmp_path_factory.mktemp("reduced")
    make_all(folder)
    with serving(folder, config=REDUCED.format(folder=folder)) as server:
        yield server


@pytest.fixture(scope="session")
def service() -> Iterator[Misbehaving]:
    """A remote service that does as it should: vectors of two numbers."""
    with misbehaving() as running:
        yield running


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an admin key, an API key, a fake model and an instance, in which the vendor's sample is registered
    with a URL where nobody answers."""
    with serving(tmp_path_factory.mktemp("registry"), config=REGISTRY) as server:
        create(server, "test", SAMPLE, INSTANCE)
        yield server


@pytest.fixture(scope="session")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in which a model is registered that puts images into words."""

    def describe(question: Question) -> Reply:
        return Reply(body=b'{"said": "a grey pixel"}')

    body = '{"image": "%{input}"}'
    with misbehaving(describe) as words, serving(tmp_path_factory.mktemp("analyst"), config=REGISTRY) as server:
        content = {"modelType": "image_analyze", "url": words.url, "request": {"requestBody": body}}
        create(server, "analyst", content | {"response": {"embeddings": "$.said"}})
        yield server
