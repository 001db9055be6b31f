"""What every kind of model of sentence-transformers shares: it is loaded, its limit is found, items are tokenized by
the library and go through its modules together.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from embedway.backends.torch import KINDS, choose_device, choose_dtype
from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.recipe import NO_LIMIT
from embedway.models.source import ModelFiles
from embedway.models.tokens import byte_places, check_ids
from embedway.types import Facts, Features, Item, ModelSpec, Output, Outputs, Role, Text, Token, Truncation

UNCUT = {"text": {"truncation": False, "verbose": False}}
"""What the library's processor is called with to count a text's tokens before it is cut."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the library is told once for all entries of a pass."""

    prompt: str | None = None
    task: Role | None = None

    @property
    def options(self) -> dict[str, Any]:
        return {} if self.task is None else {"task": self.task}


@dataclass(frozen=True, slots=True)
class LibraryFeatures(Features):
    """The library tokenizes a batch together, so the entry travels too: a text, or a pair of them. An image has no
    entry: `given` is what the library's processor made of it.
    """

    entry: str | tuple[str, str] = ""
    ask: Ask = Ask()
    given: Mapping[str, Any] | None = None

    @property
    def company(self) -> Hashable:
        """Entries with the same one can go through the model together."""
        return (type(self.entry), self.ask) if self.given is None else id(self)


class LibraryBackend:
    """One model of the library on one device; a kind says what an entry is and what a pass gives."""

    facts: Facts
    padded_tokens = 0
    """The most tokens of one pass, filling included; 0 for what comes."""

    def __init__(self, kind: Any, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        self._device = choose_device(spec)
        dtype = choose_dtype(spec, self._device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self._model = load(kind, files, self._device, KINDS[dtype])
        self._max_tokens = choose_max_tokens(files, self._model, spec)
        self._model.max_seq_length = self._max_tokens
        self._truncation = spec.truncation or "cut"
        self._lock = threading.Lock()  # the tokenizer's truncation is a state that threads would share
        self.facts = Facts(
            backend="sentence",
            dtype=dtype,
            dimensions=0,
            max_tokens=self._max_tokens,
            outputs=Output(0),
            revision=files.revision,
            device=str(self._device),
        )

    def prepare(self, item: Item) -> Features:
        raise NotImplementedError

    def answer(self, made: Mapping[str, Any], batch: Sequence[LibraryFeatures]) -> Sequence[Outputs]:
        """The outputs of each item, from what the library's modules made of the batch."""
        raise NotImplementedError

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        outputs = [Outputs()] * len(batch)
        for indices in companies(batch, self.padded_tokens):
            together = [one for index in indices if isinstance(one := batch[index], LibraryFeatures)]
            for index, answer in zip(indices, self.answer(self._forward(together), together), strict=True):
                outputs[index] = answer
        return outputs

    @property
    def vocabulary(self) -> LibraryVocabulary:
        return LibraryVocabulary(self._model.tokenizer, self._lock)

    def close(self) -> None:
        del self._model
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _read(
        self, entry: str | tuple[str, str], ask: Ask, outputs: Output, truncation: Truncation | None = None
    ) -> LibraryFeatures:
        """Tokenized for its cost. Raises `InvalidInput` for one too long when truncation is `error`."""
        with self._lock:
            ids = token_ids(self._preprocess([entry], ask))
            full = len(ids) >= self._max_tokens
            cut = full and len(token_ids(self._preprocess([entry], ask, processing_kwargs=UNCUT))) > len(ids)
        if cut and (truncation or self._truncation) == "error":
            raise InvalidInput(f"A text is longer than the {self._max_tokens} tokens that this model reads.")
        return LibraryFeatures(ids=ids, cost=len(ids), cut=cut, outputs=outputs, entry=entry, ask=ask)

    def _preprocess(self, entries: Sequence[Any], ask: Ask, **more: Any) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self._model.preprocess(list(entries), prompt=ask.prompt, **ask.options, **more)
        return given

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore]
    def _forward(self, batch: Sequence[LibraryFeatures]) -> Any:
        """What the library's modules make of the batch, by their names."""
        first, given = batch[0], batch[0].given
        if given is None:
            with self._lock:
                given = self._preprocess([one.entry for one in batch], first.ask)
        there = {name: one.to(self._device) if torch.is_tensor(one) else one for name, one in given.items()}
        return self._model(there, **first.ask.options)

    def _try(self, files: ModelFiles, item: Item) -> Outputs:
        """One item's outputs. Raises `ModelFilesError` where the library cannot run what it loaded."""
        try:
            return self.run([self.prepare(item)])[0]
        except Exception as error:  # of any kind: the library passes on what lies below it
            raise ModelFilesError(
                f"sentence-transformers loads {files.folder} but cannot run it: {reason(error)}."
            ) from error


class LibraryVocabulary:
    """The tokenizer of the library's model; a lock keeps threads from each other's settings of it."""

    def __init__(self, tokenizer: Any, lock: threading.Lock) -> None:
        self._tokenizer = tokenizer
        self._lock = lock

    def tokenize(self, item: Text, special: bool = True) -> Sequence[Token]:
        text = (item.prompt or "") + item.text
        options = {"truncation": False, "verbose": False, "return_special_tokens_mask": True}
        with self._lock:
            given = self._tokenizer(text, add_special_tokens=special, return_offsets_mapping=True, **options)
        places = byte_places(text)
        rows = zip(given["input_ids"], given["special_tokens_mask"], given["offset_mapping"], strict=True)
        return [
            Token(number, self._tokenizer.convert_ids_to_tokens(number), True)
            if marked
            else Token(number, text[start:stop], False, places[start], places[stop])
            for number, marked, (start, stop) in rows
        ]

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        check_ids(ids, len(self._tokenizer))
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special))

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        return [self.decode([number], skip_special=False).strip() for number in ids]


def companies(batch: Sequence[Features], padded_tokens: int) -> Iterator[Sequence[int]]:
    """The places of the items that go through the model together: of one company, and of at most so many tokens when
    all are filled up to the longest, but at least one item.
    """
    found: dict[Hashable, list[int]] = {}
    for index in sorted(range(len(batch)), key=lambda place: batch[place].cost):
        one = batch[index]
        found.setdefault(one.company if isinstance(one, LibraryFeatures) else None, []).append(index)
    for indices in found.values():
        start = 0
        for end, index in enumerate(indices):
            if padded_tokens and end > start and (end + 1 - start) * batch[index].cost > padded_tokens:
                yield indices[start:end]
                start = end
        yield indices[start:]


def token_ids(given: Mapping[str, Any]) -> Any:
    """int32 `[tokens]` of the only entry, without what fills up."""
    ids = given["input_ids"].reshape(-1)
    if "attention_mask" in given:
        ids = ids[given["attention_mask"].reshape(-1).bool()]
    return ids.numpy().astype(np.int32)


def load(kind: Any, files: ModelFiles, device: Any, dtype: Any) -> Any:
    """The library's model. Raises `ModelFilesError` with the library's reason where it cannot be loaded."""
    try:
        model = kind(
            str(files.folder),
            device=str(device),
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"dtype": dtype, "use_safetensors": True},
        )
    except Exception as error:  # of any kind: the library passes on what lies below it
        if "trust_remote_code" in str(error):
            raise ModelFilesError(
                f"The model in {files.folder} brings code of its own, which Embedway does not run."
            ) from error
        raise ModelFilesError(f"sentence-transformers cannot load {files.folder}: {reason(error)}.") from error
    return model.eval()


def reason(error: Exception) -> str:
    """The first line of what the library says, without its full stop."""
    return (str(error).strip() or repr(error)).splitlines()[0].strip().rstrip(".")


def choose_max_tokens(files: ModelFiles, model: Any, spec: ModelSpec) -> int:
    """What is asked for, at most what the model has. Raises `ModelFilesError` where neither says anything."""
    config = model.config.get_text_config() if model.config is not None else None
    limits = (model.max_seq_length, getattr(config, "max_position_embeddings", None))
    own = min((int(one) for one in limits if one and not math.isinf(one) and 0 < one < NO_LIMIT), default=None)
    if spec.max_tokens is None:
        if own is None:
            raise ModelFilesError(f"{files.folder} does not say how long a text may be; set max_tokens.")
        return own
    if own is not None and not 1 <= spec.max_tokens <= own:
        raise ModelFilesError(f"max_tokens = {spec.max_tokens} of the model {spec.name!r} must be between 1 and {own}.")
    return spec.max_tokens
