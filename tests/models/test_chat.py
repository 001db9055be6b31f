"""Pairs as language models are asked about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.chat import ChatReader, read_template, render_qwen3
from embedway.types import Pair, Text
from tests.tiny import case

LIMIT_TOKENS = 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return case.load("question-flat").write(tmp_path)


def reader(folder: Path, truncation: str = "cut") -> ChatReader:
    render = read_template(folder, structured=False, instruction="Find it.")
    return ChatReader(render, folder, LIMIT_TOKENS, {}, False, truncation)


def test_the_question_ends_as_it_should_however_long_the_document_is(folder: Path) -> None:
    """The answer stands behind the template's end: it is kept, and the document is cut."""
    read = reader(folder)
    short, long = read.read(Pair("a", "b")), read.read(Pair("a", "b " * 1000))
    assert (short.cut, long.cut, long.cost) == (False, True, LIMIT_TOKENS)
    assert long.ids[-6:].tolist() == short.ids[-6:].tolist()


def test_an_instruction_takes_the_place_of_the_models_own(folder: Path) -> None:
    """And changes nothing else."""
    read = reader(folder)
    assert read.read(Pair("a", "b", "Find it.")).ids.tolist() == read.read(Pair("a", "b")).ids.tolist()
    assert read.read(Pair("a", "b", "Avoid it.")).ids.tolist() != read.read(Pair("a", "b")).ids.tolist()


def test_a_text_alone_and_a_pair_too_long_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="scores pairs"):
        reader(folder).read(Text("a"))
    with pytest.raises(InvalidInput, match="longer than the 100 tokens"):
        reader(folder, "error").read(Pair("a", "b " * 1000))


def test_qwen3_is_asked_in_the_authors_words() -> None:
    """The caller's instruction, or the model card's."""
    assert "<Instruct>: Given a web search query, retrieve" in render_qwen3(None, "q", "d")
    text = render_qwen3("Judge.", "why", "therefore")
    assert "<Instruct>: Judge.\n<Query>: why\n<Document>: therefore<|im_end|>" in text
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% if", "is damaged"),
        ("{{ raise_exception('only user and assistant') }}", "does not take pairs (only user and assistant)"),
        ("{{ messages[0].content }}", "leaves out the query or the document"),
        ("{{ ''.__class__.__mro__ }}", "does not take pairs"),
    ],
)
def test_templates_that_are_of_no_use_are_refused(folder: Path, template: str, said: str) -> None:
    """In one sentence, and without letting them at Python."""
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(ModelFilesError) as caught:
        read_template(folder, structured=False, instruction=None)
    assert said in caught.value.message


def test_a_template_may_refuse_a_pair(folder: Path) -> None:
    """Then that is the caller's error, and no one else's."""
    template = "{% if messages[-1].content == 'x' %}{{ raise_exception('no x') }}{% endif %}"
    whole = template + "{% for message in messages %}{{ message.content }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(whole, encoding="utf-8")
    with pytest.raises(InvalidInput, match="no x"):
        reader(folder).read(Pair("q", "x"))
