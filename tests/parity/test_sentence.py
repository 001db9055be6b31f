"""The sentence backend gives what the library gives when it is called directly."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from embedway.backends.open import open_backend
from embedway.errors import InvalidInput, ModelFilesError
from embedway.types import ModelSpec, Text
from tests.families.compare import check
from tests.tiny import case

LONG = "word " * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return case.load("bert-mean").write(tmp_path)


@pytest.mark.parametrize("name", ["bert-mean", "bert-cls", "qwen3"])
def test_a_tiny_model_gives_the_references_answers(name: str, tmp_path: Path) -> None:
    """Token counts and vectors, each alone and forty in a batch."""
    check(case.load(name).write(tmp_path), case.answers(name), "sentence")


def test_prompts_go_by_role(folder: Path) -> None:
    """Also where a batch has both."""
    card = folder / "config_sentence_transformers.json"
    prompts = {"query": "find this: ", "passage": "keep this: ", "document": ""}
    card.write_text(json.dumps(json.loads(card.read_text()) | {"prompts": prompts}))
    library = SentenceTransformer(str(folder), device="cpu")
    with closing(open_backend(ModelSpec("m", str(folder), dtype="fp32", backend="sentence"))) as backend:
        items = [Text("one text"), Text("one text", "query"), Text("another")]
        rows = [outputs.dense for outputs in backend.run([backend.prepare(item) for item in items])]
    names = ["passage", "query", "passage"]
    wanted = [library.encode(item.text, prompt_name=name) for item, name in zip(items, names, strict=True)]
    assert np.stack(rows) == pytest.approx(np.stack(wanted), abs=1e-5)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3


def test_a_configured_prompt_goes_before_the_models_and_a_texts_own_before_that(folder: Path) -> None:
    library = SentenceTransformer(str(folder), device="cpu")
    spec = ModelSpec("m", str(folder), dtype="fp32", backend="sentence", query_prompt="seek: ")
    with closing(open_backend(spec)) as backend:
        items = [Text("one text", "query"), Text("one text", "query", prompt="hunt: "), Text("one text")]
        rows = [outputs.dense for outputs in backend.run([backend.prepare(item) for item in items])]
    wanted = [library.encode("one text", prompt=prompt) for prompt in ("seek: ", "hunt: ", None)]
    assert np.stack(rows) == pytest.approx(np.stack(wanted), abs=1e-5)


def test_a_text_that_is_too_long_is_counted_as_cut_or_refused(folder: Path) -> None:
    spec = ModelSpec("m", str(folder), backend="sentence", max_tokens=16)
    with closing(open_backend(spec)) as backend:
        features = backend.prepare(Text(LONG))
        assert (features.cost, features.cut) == (16, True)
        assert not backend.prepare(Text("short")).cut
    with (
        closing(open_backend(ModelSpec("m", str(folder), backend="sentence", truncation="error"))) as backend,
        pytest.raises(InvalidInput, match="longer than"),
    ):
        backend.prepare(Text(LONG))


def test_what_a_request_says_of_one_text(folder: Path) -> None:
    """Its own policy and a prompt by name are heeded; what the library cannot do is refused, not passed over."""
    spec = ModelSpec("m", str(folder), dtype="fp32", backend="sentence", max_tokens=16)
    with closing(open_backend(spec)) as backend:
        library = SentenceTransformer(str(folder), device="cpu")
        name = next(iter(library.prompts))
        (named,) = backend.run([backend.prepare(Text("one text", prompt_name=name))])
        assert named.dense == pytest.approx(library.encode("one text", prompt_name=name), abs=1e-5)
        for item, said in (
            (Text(LONG, truncation="error"), "longer than"),
            (Text("a", prompt_name="no such"), "no prompt called"),
            (Text("a", side="left"), "cut texts at their beginning"),
            (Text("a", instruction="Find it."), "take an instruction"),
        ):
            with pytest.raises(InvalidInput, match=said):
                backend.prepare(item)
        assert backend.facts.normalized


def test_what_no_family_covers_falls_to_the_library_and_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Here an embedder whose pooling no head here has."""
    path = folder / "1_Pooling" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pooling_mode": "mean_sqrt_len_tokens"}))
    library = SentenceTransformer(str(folder), device="cpu")
    with (
        caplog.at_level(logging.INFO),
        closing(open_backend(ModelSpec("m", str(folder), dtype="fp32", device="cpu"))) as backend,
    ):
        [outputs] = backend.run([backend.prepare(Text("one text"))])
    assert backend.facts.backend == "sentence"
    assert "sentence-transformers" in caplog.text
    assert outputs.dense == pytest.approx(library.encode("one text"), abs=1e-5)


def test_a_plain_network_is_pooled_as_the_library_does_it_and_that_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "modules.json").unlink()
    library = SentenceTransformer(str(folder), device="cpu")
    with closing(open_backend(ModelSpec("m", str(folder), dtype="fp32", backend="sentence"))) as backend:
        [outputs] = backend.run([backend.prepare(Text("one text"))])
    assert "has no modules.json" in caplog.text
    assert outputs.dense == pytest.approx(library.encode("one text"), abs=1e-5)


def test_code_that_a_model_brings_is_not_run(folder: Path) -> None:
    path = folder / "modules.json"
    modules = json.loads(path.read_text())
    modules[0]["type"] = "custom.Transformer"
    path.write_text(json.dumps(modules))
    with pytest.raises(ModelFilesError, match="brings code of its own"):
        open_backend(ModelSpec("m", str(folder), backend="sentence"))
