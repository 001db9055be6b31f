"""text-embeddings-inference: tokens of texts, texts of tokens, and what the server serves. Source: its router's types,
version 1.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from embedway import __version__
from embedway.engine.engine import Engine
from embedway.errors import BodyTooLarge, InvalidInput, Unavailable
from embedway.http.dialects.openai import MAX_INPUTS
from embedway.http.dialects.ranking import choose_model
from embedway.http.dialects.tei import EmptyInput, check_batch
from embedway.http.dialects.tei_embed import check_text
from embedway.http.exchange import Exchange
from embedway.types import Facts, ModelStatus, Text

MAX_CHARACTERS = 1_000_000
"""Of all texts of a request: they are tokenized whole, whatever a model reads."""


POOLINGS: Mapping[str, str] = {"last": "last_token"}
"""Its names, where they are others."""


MAX_TOKENS = 250_000
"""Of all lists of a request."""


class TokenizeBody(msgspec.Struct):
    inputs: str | list[str]
    add_special_tokens: bool | None = None
    prompt_name: str | None = None
    model: str | None = None


class TokenRow(msgspec.Struct):
    """`start` and `stop` count the bytes of the text in UTF-8, with the prompt before it; null for a special token."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class DecodeBody(msgspec.Struct):
    ids: list[int | list[int]]
    skip_special_tokens: bool | None = None
    model: str | None = None


class EmbeddingType(msgspec.Struct):
    pooling: str


class Labels(msgspec.Struct):
    id2label: dict[str, str]
    label2id: dict[str, int]


class ModelType(msgspec.Struct, omit_defaults=True):
    embedding: EmbeddingType | None = None
    classifier: Labels | None = None
    reranker: Labels | None = None


class InfoReply(msgspec.Struct):
    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None = None
    docker_label: str | None = None


class Tokenize:
    """POST /tokenize where the body has `inputs`: a list of tokens for each text."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, exchange: Exchange, body: TokenizeBody) -> bytes:
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        if not texts:
            raise EmptyInput("inputs cannot be empty.", "$.inputs")
        check_batch(texts, "inputs")
        check_characters(texts)
        items = [Text(check_text(text, index), prompt_name=body.prompt_name) for index, text in enumerate(texts)]
        model = choose_model(self._engine, body.model, "embedding")
        found = await self._engine.tokenize(model, items, body.add_special_tokens is not False, exchange.caller)
        return msgspec.json.encode(
            [[TokenRow(one.id, one.text, one.special, one.start, one.stop) for one in tokens] for tokens in found]
        )


class Decode:
    """POST /decode: the text of one list of tokens, or of several; a list either way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, exchange: Exchange, body: DecodeBody) -> bytes:
        if not body.ids:
            raise EmptyInput("ids cannot be empty.", "$.ids")
        lists = [one for one in body.ids if isinstance(one, list)]
        single = [one for one in body.ids if isinstance(one, int)]
        if lists and single:
            raise InvalidInput("ids is a list of tokens or a list of such lists, not a mixture.", "$.ids")
        several = lists or [single]
        check_batch(several, "ids")
        check_tokens(sum(map(len, several)))
        model = choose_model(self._engine, body.model, "embedding")
        texts = await self._engine.decode(model, several, body.skip_special_tokens is not False, exchange.caller)
        return msgspec.json.encode(texts)


class Info:
    """GET /info, of the model that `?model=` names, or the only one."""

    def __init__(self, engine: Engine, threads: int, max_batch_tokens: int, truncation: str) -> None:
        self._engine = engine
        self._threads = threads
        self._max_batch_tokens = max_batch_tokens
        self._cuts = truncation == "cut"

    async def __call__(self, exchange: Exchange, body: None) -> bytes:
        name = choose_model(self._engine, exchange.request.query_params.get("model"), "embedding")
        status = self._engine.find(name, exchange.caller)
        if status.facts is None:
            raise Unavailable(f"The model '{name}' is not ready ({status.reason}): try again soon.")
        return msgspec.json.encode(self._describe(status, status.facts))

    def _describe(self, status: ModelStatus, facts: Facts) -> InfoReply:
        return InfoReply(
            model_id=status.spec.name if Path(status.spec.source).is_dir() else status.spec.source,
            model_sha=facts.revision or None,
            model_dtype={"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}.get(facts.dtype, facts.dtype),
            model_type=describe_kind(facts),
            max_concurrent_requests=status.max_queue_tokens,
            max_input_length=facts.max_tokens,
            max_batch_tokens=self._max_batch_tokens,
            max_batch_requests=status.max_batch_items,
            max_client_batch_size=MAX_INPUTS,
            auto_truncate=(status.spec.truncation or ("cut" if self._cuts else "error")) == "cut",
            tokenization_workers=self._threads,
            version=__version__,
        )


def describe_kind(facts: Facts) -> ModelType:
    """What the model is for, as its clients tell the kinds apart."""
    names = facts.labels or ("LABEL_0",)
    labels = Labels(
        {str(index): name for index, name in enumerate(names)}, {name: index for index, name in enumerate(names)}
    )
    if "rerank" in facts.tasks:
        return ModelType(reranker=labels)
    if "classify" in facts.tasks:
        return ModelType(classifier=labels)
    return ModelType(embedding=EmbeddingType(POOLINGS.get(facts.pooling, facts.pooling or "none")))


def check_tokens(count: int) -> None:
    """Raise `BodyTooLarge` for more than `MAX_TOKENS`."""
    if count > MAX_TOKENS:
        raise BodyTooLarge(f"At most {MAX_TOKENS:,} tokens are decoded for one request: send fewer.")


def check_characters(texts: Sequence[str]) -> None:
    """Raise `BodyTooLarge` for more than `MAX_CHARACTERS` together."""
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise BodyTooLarge(f"At most {MAX_CHARACTERS:,} characters are tokenized for one request: send fewer.")
