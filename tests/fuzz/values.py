"""Strategies: JSON of any kind, bodies that are nearly right, bytes that are nearly JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

# Lone surrogates included, NUL too. No "!": Hypothesis finds the fake model's commands in its source, and tries them.
ANY_TEXT = st.text(st.characters(exclude_characters="!"), max_size=20)
BIG = st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, -(10**400), 1e308, 5e-324, -0.0])
SCALARS = st.none() | st.booleans() | st.integers() | BIG | st.floats() | ANY_TEXT
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=12
)

OPTION = st.booleans() | st.none() | ANY_JSON
TYPES = st.sampled_from(["float", "int8", "uint8", "binary", "ubinary", "base64", None])
ELEMENT = st.fixed_dictionaries({}, optional={"text": ANY_TEXT | ANY_JSON, "image": ANY_TEXT | ANY_JSON})
INPUTS = st.lists(ANY_TEXT | st.just("a good text"), max_size=40) | ANY_TEXT | st.lists(ANY_JSON | ELEMENT, max_size=4)
FIELDS = {
    "input": INPUTS | ANY_JSON,
    "model": st.just("fake") | ANY_TEXT | ANY_JSON,
    "encoding_format": st.sampled_from(["float", "base64", "int8", "", None]) | ANY_JSON,
    "dimensions": st.integers(-2, 6) | BIG | ANY_JSON,
    "dimension": st.integers(-2, 6) | BIG | ANY_JSON,
    "input_type": st.sampled_from(["query", "document", "passage", "", None]) | ANY_JSON,
    "modality": st.sampled_from(["text", "image", None]) | ANY_JSON,
    "user": ANY_TEXT | ANY_JSON,
    "task": st.sampled_from(["retrieval.query", "text-matching", ".query", "", None]) | ANY_JSON,
    "embedding_type": TYPES | st.lists(TYPES, max_size=3) | ANY_JSON,
    "normalized": OPTION,
    "truncate": OPTION,
    "late_chunking": st.just(False) | ANY_JSON,
    "outputs": st.lists(st.sampled_from(["dense", "sparse", "tokens"]), max_size=3) | ANY_JSON,
}
RIGHT = {"input": st.lists(st.just("a"), min_size=1, max_size=3), "model": st.just("fake")}
NEARLY = st.fixed_dictionaries({}, optional=FIELDS) | st.fixed_dictionaries(
    RIGHT, optional={name: values for name, values in FIELDS.items() if name not in RIGHT}
)


def encode(value: Any) -> bytes:
    """Write JSON as Python does: NaN and Infinity as such, lone surrogates as escapes."""
    return json.dumps(value).encode()


def encode_raw(value: Any) -> bytes:
    """The same without escapes: a lone surrogate becomes bytes that are not UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


GOOD = encode({"model": "fake", "input": ["a", "b"], "input_type": "query"})
NEARLY_BODIES = st.builds(encode, NEARLY) | st.builds(encode_raw, NEARLY)

SEVERAL = st.lists(ANY_TEXT | st.just("a good text"), max_size=6) | st.lists(ANY_JSON, max_size=3)
COUNT = st.integers(-2, 6) | BIG | ANY_JSON
PART = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url"])}, optional={"text": ANY_TEXT}) | ANY_JSON
RANKED = {
    "query": ANY_TEXT | ANY_JSON,
    "documents": SEVERAL | st.lists(st.fixed_dictionaries({"text": ANY_TEXT}), max_size=3) | ANY_JSON,
    "texts": SEVERAL | ANY_JSON,
    "text_1": ANY_TEXT | SEVERAL,
    "text_2": ANY_TEXT | SEVERAL,
    "input": INPUTS,
    "inputs": ANY_TEXT
    | SEVERAL
    | st.lists(st.lists(ANY_TEXT, max_size=3), max_size=3)
    | st.lists(st.fixed_dictionaries({"content": st.lists(PART, max_size=2)}), max_size=3),
    "top_n": COUNT,
    "priority": COUNT,
    "max_tokens_per_doc": COUNT,
    "model": st.just("fake") | st.none() | ANY_TEXT | ANY_JSON,
    "raw_scores": OPTION,
    "return_documents": OPTION,
    "return_text": OPTION,
    "truncate": st.sampled_from(["NONE", "START", "END"]) | OPTION,
    "embedding_types": st.lists(TYPES, max_size=3) | ANY_JSON,
    "output_dimension": COUNT,
    "max_tokens": COUNT,
    "images": SEVERAL | ANY_JSON,
    "use_activation": OPTION,
    "rank_fields": st.just(["text"]) | ANY_JSON,
    "instruction": ANY_TEXT | ANY_JSON,
    "truncation_direction": st.sampled_from(["right", "LEFT", None]) | ANY_JSON,
    "prompt_name": st.sampled_from(["query", None]) | ANY_TEXT,
    "normalize": OPTION,
    "dimensions": COUNT,
    "add_special_tokens": OPTION,
    "skip_special_tokens": OPTION,
    "prompt": ANY_TEXT | ANY_JSON,
    "ids": st.lists(st.integers(-5, 200_000), max_size=5) | st.lists(st.lists(COUNT, max_size=3), max_size=3),
    "tokens": st.lists(st.integers(-5, 200_000), max_size=5) | ANY_JSON,
}
RIGHT_RANKED = {"query": st.just("a"), "documents": st.lists(ANY_TEXT, min_size=1, max_size=3)}
NEARLY_RANKINGS = st.builds(
    encode,
    st.fixed_dictionaries({}, optional=RANKED)
    | st.fixed_dictionaries(
        RIGHT_RANKED, optional={name: values for name, values in RANKED.items() if name not in RIGHT_RANKED}
    ),
)


URLS = ("http://127.0.0.1/", "data:image/png;base64,AAAA", "data:,", "AAAA", "https://")
PICTURE = st.fixed_dictionaries({"image": st.sampled_from(URLS)})
VECTORS = st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=5), max_size=3)
NEARLY_SERVICES = st.builds(
    encode,
    st.fixed_dictionaries(
        {},
        optional={
            "input": INPUTS | SEVERAL | st.lists(ELEMENT | PICTURE, max_size=3) | VECTORS,
            "parameters": st.fixed_dictionaries(
                {}, optional={"output_dimension": COUNT, "model_name": st.sampled_from(["four", "fake"]) | ANY_JSON}
            ),
            "input_type": st.sampled_from(["query", "document"]) | ANY_JSON,
            "return_token": OPTION,
            "query": ANY_TEXT | ELEMENT | PICTURE | ANY_JSON,
            "docs": SEVERAL | st.lists(ELEMENT | PICTURE, max_size=3) | ANY_JSON,
            "options": st.just({"raw_scores": True}) | ANY_JSON,
        },
    ),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good body with a piece cut out, replaced, repeated, or written in another encoding."""
    body = draw(st.just(GOOD) | NEARLY_BODIES)
    encoding = draw(st.sampled_from(["", "", "", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"]))
    if encoding:
        body = body.decode("utf-8", "replace").encode(encoding)
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 8)))
    piece = draw(st.binary(max_size=8) | st.sampled_from([b"\0", b"\\ud800", b"NaN", b"1e999", b"[[[[", b'"', b"//"]))
    return body[:start] + piece * draw(st.integers(1, 3)) + body[end:]


ANY_BYTES = st.binary(max_size=64) | mutated()
