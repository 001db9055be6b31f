"""vLLM: tokens of a text, and the text of tokens. Source: vLLM 0.33, its tokenization protocol."""

from __future__ import annotations

import msgspec

from embedway.engine.engine import Engine
from embedway.http.dialects.ranking import choose_model
from embedway.http.dialects.tei_tokens import check_characters, check_tokens
from embedway.http.exchange import Exchange
from embedway.types import Text


class TokenizeBody(msgspec.Struct):
    """A body with `prompt` is this dialect's."""

    prompt: str
    model: str | None = None
    add_special_tokens: bool | None = None
    return_token_strs: bool | None = None


class TokenizeReply(msgspec.Struct):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeBody(msgspec.Struct):
    tokens: list[int]
    model: str | None = None


class DetokenizeReply(msgspec.Struct):
    prompt: str


class Tokenize:
    """POST /tokenize where the body has `prompt`. The model's own prompts are left out: the text is taken as it is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, exchange: Exchange, body: TokenizeBody) -> bytes:
        check_characters([body.prompt])
        model = choose_model(self._engine, body.model, "embedding")
        special = body.add_special_tokens is not False
        (tokens,) = await self._engine.tokenize(model, [Text(body.prompt, prompt="")], special, exchange.caller)
        facts = self._engine.find(model, exchange.caller).facts
        ids = [token.id for token in tokens]
        strings = [token.text for token in tokens] if body.return_token_strs else None
        return msgspec.json.encode(TokenizeReply(len(ids), facts.max_tokens if facts else 0, ids, strings))


class Detokenize:
    """POST /detokenize."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, exchange: Exchange, body: DetokenizeBody) -> bytes:
        check_tokens(len(body.tokens))
        model = choose_model(self._engine, body.model, "embedding")
        (text,) = await self._engine.decode(model, [body.tokens], False, exchange.caller)
        return msgspec.json.encode(DetokenizeReply(text))
