"""Pairs as language models are asked about them: rendered by a chat template, with the question's end always kept.

The template is the model's own (Jinja, in the sandbox that transformers uses too), or for a plain Qwen3 reranker the
one that its authors publish.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.folder import read_json
from embedway.models.tokens import TextReader, read_token
from embedway.types import Features, Item, Pair

Render = Callable[[str | None, str, str], str]
"""Instruction (None for the model's own), query, document -> the whole text. Raises `InvalidInput` for a pair that the
template does not take.
"""

TEMPLATE = "chat_template.jinja"
MOST_INSTRUCTION = 4096
"""Characters: it stands in every pair, and is remembered."""
QWEN3_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
"""What Qwen3's rerankers are asked where nothing else is: the default of their model card."""
_QWEN3_TASK = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)


class ChatReader(TextReader):
    """Reads pairs through `render`. A text too long is cut before the template's end, which the answer follows."""

    def __init__(self, render: Render, folder: Path, *given: Any) -> None:
        super().__init__(folder, *given)
        self._render = render
        self._end = functools.lru_cache(maxsize=256)(self._find_end)

    def read(self, item: Item) -> Features:
        if not isinstance(item, Pair):
            raise InvalidInput("This model scores pairs of a query and a document; it gives no vectors.")
        if item.instruction is not None and len(item.instruction) > MOST_INSTRUCTION:
            raise InvalidInput(f"An instruction may have {MOST_INSTRUCTION:,} characters at most.")
        text = self._render(item.instruction, item.query, item.document)
        encoding = self._encode(text, self._max_tokens)
        ids, cut = encoding.ids[: self._max_tokens], len(encoding) > self._max_tokens
        if cut:
            self._check_cut(self._max_tokens)
            end = self._end(item.instruction)
            ids = [*ids[: len(ids) - len(end)], *end[-len(ids) :]]
        return Features(np.array(ids, dtype=np.int32), len(ids), cut, item.outputs)

    def _find_end(self, instruction: str | None) -> list[int]:
        """The tokens behind the pair: what two renderings of different pairs have in common at their end."""
        one, other = (
            self._tokenizer.encode(self._render(instruction, filling, filling), add_special_tokens=False).ids
            for filling in ("0", "1 2 3 4")
        )
        same = next(
            (index for index, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)) if a != b), 0
        )
        return one[len(one) - same :]


def read_template(folder: Path, structured: bool, instruction: str | None) -> Render:
    """The model's own template. `structured` says that it takes contents as lists of parts, `instruction` is what it is
    given where the caller gives none. Raises `ModelFilesError` for one that is damaged, or renders no pairs.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    source = find_template(folder)
    if source is None:
        raise ModelFilesError(f"{folder} has no {TEMPLATE}, which this model needs: fetch it again.")
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals.update(raise_exception=refuse, tools=None, documents=None, add_generation_prompt=False)
    environment.globals.update(find_special(folder))
    try:
        template = environment.from_string(source)
    except TemplateError as error:
        raise ModelFilesError(f"The chat template in {folder} is damaged ({error}).") from error

    def render(asked: str | None, query: str, document: str) -> str:
        said = instruction if asked is None else asked
        messages = ([("system", said)] if said else []) + [("query", query), ("document", document)]
        contents = [
            {"role": role, "content": [{"type": "text", "text": text}] if structured else text}
            for role, text in messages
        ]
        try:
            return template.render(messages=contents)
        except (TemplateError, TypeError, ValueError) as error:
            raise InvalidInput(f"The model's template does not take this pair ({error}).") from error

    try:
        shown = render(None, "first words", "second words")
    except InvalidInput as error:
        raise ModelFilesError(f"The chat template in {folder} does not take pairs ({error.__cause__}).") from error
    if "first words" not in shown or "second words" not in shown:
        raise ModelFilesError(f"The chat template in {folder} leaves out the query or the document.")
    return render


def find_template(folder: Path) -> str | None:
    """The template, in a file of its own or in the tokenizer's config."""
    if (folder / TEMPLATE).is_file():
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    path = folder / "tokenizer_config.json"
    told = read_json(path, dict[str, Any]).get("chat_template") if path.is_file() else None
    return told if isinstance(told, str) else None


def find_special(folder: Path) -> dict[str, str]:
    """The special tokens that templates know by name, such as `bos_token`."""
    path = folder / "tokenizer_config.json"
    told = read_json(path, dict[str, Any]) if path.is_file() else {}
    named = {name: read_token(token) for name, token in told.items() if name.endswith("_token")}
    return {name: token for name, token in named.items() if isinstance(token, str)}


def render_qwen3(instruction: str | None, query: str, document: str) -> str:
    """As the model card of Qwen3-Reranker (arXiv:2506.05176) puts the question."""
    asked = QWEN3_INSTRUCTION if instruction is None else instruction
    return (
        f"<|im_start|>system\n{_QWEN3_TASK}<|im_end|>\n"
        f"<|im_start|>user\n<Instruct>: {asked}\n<Query>: {query}\n<Document>: {document}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
