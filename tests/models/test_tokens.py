"""Text to ids, with the bundled model's real tokenizer file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.source import find_model
from embedway.models.tokens import TextReader
from embedway.types import Pair, Text

FOLDER = find_model("all-MiniLM-L6-v2").folder
CLS, SEP = 101, 102


def reader(**options: object) -> TextReader:
    return TextReader(FOLDER, **({"max_tokens": 256, "prompts": {}} | options))  # type: ignore[arg-type]


READER = reader()
SHORT = reader(max_tokens=16)


def test_the_saved_padding_and_truncation_are_not_used() -> None:
    """The file pads and cuts at 128; the model reads 256."""
    assert READER.read(Text("hello")).ids.tolist() == [CLS, 7592, SEP]
    assert READER.read(Text("word " * 200)).cost == 202


def test_tokens_are_counted_with_the_special_ones() -> None:
    """The contract's example."""
    assert READER.read(Text("I believe the meaning of life is")).cost == 9


def test_a_long_text_is_cut_between_the_special_tokens_and_said_to_be() -> None:
    """The end mark stays."""
    features = READER.read(Text("word " * 300))
    assert (features.cost, features.cut) == (256, True)
    assert features.ids[0] == CLS
    assert features.ids[-1] == SEP
    assert not READER.read(Text("word " * 254)).cut
    assert READER.read(Text("word " * 255)).cut


def test_a_text_too_long_can_be_an_error() -> None:
    """`truncation="error"`: nothing is cut in silence."""
    with pytest.raises(InvalidInput, match="256"):
        reader(truncation="error").read(Text("word " * 300))


def test_the_prompt_of_the_role_goes_before_the_text() -> None:
    """And is counted."""
    prompted = reader(prompts={"query": "search: "})
    assert prompted.read(Text("hello", "query")).ids.tolist() == READER.read(Text("search: hello")).ids.tolist()
    assert prompted.read(Text("hello")).ids.tolist() == READER.read(Text("hello")).ids.tolist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(min_size=1, max_size=30),
            st.sampled_from(
                ["word ", " " * 900, "x" * 700, "é́ ", "中文字", "👩‍👩‍👧 ", "\n\t", "antidisestablishmentarianism "]
            ),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_reading_no_more_than_can_matter_changes_nothing(parts: list[str]) -> None:
    """The ids are those of tokenizing the whole text and cutting then."""
    text = "".join(parts) * 4
    whole = SHORT._tokenizer.encode(text, add_special_tokens=False).ids
    assert SHORT.read(Text(text)).ids.tolist() == [CLS, *whole[:14], SEP]
    assert SHORT.read(Text(text)).cut == (len(whole) > 14)


def test_megabytes_cost_no_more_than_what_the_model_reads() -> None:
    """Of 8 MB the first thousands of characters are tokenized, not the rest."""
    assert len(READER._encode("word " * 1_600_000, 254)) < 2_000


def test_a_missing_or_damaged_tokenizer_file_is_named(tmp_path: Path) -> None:
    """At load, in one sentence."""
    with pytest.raises(ModelFilesError, match=r"no tokenizer\.json"):
        TextReader(tmp_path, 16, {})
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelFilesError, match="damaged"):
        TextReader(tmp_path, 16, {})


def test_ids_are_int32() -> None:
    """What the graph takes."""
    assert READER.read(Text("a")).ids.dtype == np.int32


def test_a_documented_prompt_is_not_put_twice() -> None:
    """Given prompts that users were told to write themselves, a text that begins with one keeps its own."""
    prompts = {"query": "query: ", "document": "passage: "}
    once = reader(prompts=prompts, once=True)
    assert once.read(Text("query: hello")).ids.tolist() == READER.read(Text("query: hello")).ids.tolist()
    assert once.read(Text("hello")).ids.tolist() == READER.read(Text("passage: hello")).ids.tolist()
    twice = reader(prompts=prompts)
    assert twice.read(Text("query: hello")).ids.tolist() == READER.read(Text("passage: query: hello")).ids.tolist()


@pytest.mark.parametrize("prompt", ["", "find: "])
def test_a_text_may_bring_its_own_prompt(prompt: str) -> None:
    """In the place of the model's; an empty one too."""
    prompted = reader(prompts={"document": "passage: "})
    assert prompted.read(Text("hello", prompt=prompt)).ids.tolist() == READER.read(Text(prompt + "hello")).ids.tolist()


def test_an_instruction_is_refused_where_none_is_taken() -> None:
    """A cross-encoder would leave it out in silence."""
    with pytest.raises(InvalidInput, match="without an instruction"):
        READER.read(Pair("a", "b", "do it well"))


@pytest.mark.parametrize("reading", [READER, SHORT])
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.sampled_from(["one ", "two", " thrée", "🙂", "\n", "antidisestablishment "]), max_size=80))
def test_cut_at_the_left_keeps_the_end(reading: TextReader, parts: list[str]) -> None:
    """Whatever part of a long text is read, its last tokens are those of the whole."""
    text = "".join(parts) * 8
    whole = reading._tokenizer.encode(text, add_special_tokens=False).ids
    room = reading._max_tokens - 2
    features = reading.read(Text(text, side="left"))
    assert features.ids.tolist() == [CLS, *whole[-room:], SEP]
    assert features.cut == (len(whole) > room)


def test_a_text_may_have_its_own_policy() -> None:
    """Before the model's, in both directions."""
    long = "word " * 300
    with pytest.raises(InvalidInput, match="256"):
        READER.read(Text(long, truncation="error"))
    assert reader(truncation="error").read(Text(long, truncation="cut")).cut


def test_prompts_by_their_names() -> None:
    """Those of the model's files; another one is refused with what there is."""
    named = reader(named={"query": "q: ", "clustering": "c: "})
    assert named.read(Text("a", prompt_name="clustering")).ids.tolist() == READER.read(Text("c: a")).ids.tolist()
    with pytest.raises(InvalidInput, match="it has clustering, query"):
        named.read(Text("a", prompt_name="other"))


@given(st.text(max_size=40))
def test_tokens_know_their_bytes(text: str) -> None:
    """Each piece stands in the text's UTF-8 where its token says; those between are cut from the same text."""
    raw = text.encode("utf-8", "surrogatepass")
    for token in READER.tokenize(Text(text)):
        if token.start is None:
            assert token.special
        else:
            assert raw[token.start : token.stop].decode("utf-8", "surrogatepass") == token.text


def test_an_instruction_takes_the_place_of_the_models_own() -> None:
    """Where the model's prompt for queries has a place for one."""
    own = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
    instructed = reader(prompts={"query": own, "document": ""})
    wanted = READER.read(Text("Instruct: Find duplicates.\nQuery:hello"))
    assert instructed.read(Text("hello", instruction="Find duplicates.")).ids.tolist() == wanted.ids.tolist()
    with pytest.raises(InvalidInput, match="takes no instruction"):
        reader(prompts={"query": "search: "}).read(Text("hello", instruction="Find duplicates."))
