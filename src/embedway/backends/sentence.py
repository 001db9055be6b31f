"""Embedders that no family here covers, run by sentence-transformers (the extra `sentence`).

The library's own tokenizing, modules and vectors, padding included: it is for breadth, not for speed. Code that a
model brings along is never run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from embedway.backends.torch import KINDS, choose_device, choose_dtype
from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.folder import read_json
from embedway.models.prompts import NAMES
from embedway.models.source import CONFIG, MODULES, ModelFiles
from embedway.types import Facts, Features, Item, ModelSpec, Output, Outputs, Role, Text


@dataclass(frozen=True, slots=True)
class SentenceFeatures(Features):
    """The library tokenizes a batch together, so the text travels too."""

    text: str = ""
    role: Role = "document"


class SentenceBackend:
    """One model of the library on one device."""

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        refuse_other_kinds(files)
        self._device = choose_device(spec)
        dtype = choose_dtype(spec, self._device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self._model = load(files, self._device, KINDS[dtype])
        self._model.max_seq_length = max_tokens = choose_max_tokens(files, self._model, spec)
        self._prompts = choose_prompts(self._model)
        self._truncation = spec.truncation or "cut"
        self._lock = threading.Lock()  # the tokenizer's truncation is a state that threads would share
        self.facts = Facts(
            backend="sentence",
            dtype=dtype,
            dimensions=self._model.get_embedding_dimension() or 0,
            max_tokens=max_tokens,
            outputs=Output.DENSE,
            revision=files.revision,
            matryoshka=spec.matryoshka,
            device=str(self._device),
        )

    def prepare(self, item: Item) -> Features:
        if not isinstance(item, Text):
            raise InvalidInput("This model embeds texts; it scores no pairs.")
        with self._lock:
            given = self._preprocess([item.text], item.role)
            whole = self._model.tokenizer(
                self._prompts[item.role] + item.text, truncation=False, padding=False, verbose=False
            )
        ids = given["input_ids"][0][given["attention_mask"][0].bool()].numpy().astype(np.int32)
        cut = len(ids) == self.facts.max_tokens < len(whole["input_ids"])
        if cut and self._truncation == "error":
            raise InvalidInput(f"A text is longer than the {self.facts.max_tokens} tokens that this model reads.")
        return SentenceFeatures(ids, len(ids), cut, item.outputs, text=item.text, role=item.role)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        outputs: list[Outputs] = [Outputs()] * len(batch)
        for role in NAMES:  # the library takes one prompt for all texts of a pass
            chosen = [
                (index, one.text)
                for index, one in enumerate(batch)
                if isinstance(one, SentenceFeatures) and one.role == role
            ]
            if chosen:
                for (index, _), row in zip(chosen, self._embed([text for _, text in chosen], role), strict=True):
                    outputs[index] = Outputs(dense=row)
        return outputs

    def close(self) -> None:
        del self._model
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore]
    def _embed(self, texts: Sequence[str], role: Role) -> Any:
        """float32 `[texts, dimensions]`."""
        with self._lock:
            given = self._preprocess(texts, role)
        there = {name: one.to(self._device) if torch.is_tensor(one) else one for name, one in given.items()}
        vectors = self._model(there, task=role)["sentence_embedding"]
        return vectors[..., : self.facts.dimensions].float().cpu().numpy()

    def _preprocess(self, texts: Sequence[str], role: Role) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self._model.preprocess(list(texts), prompt=self._prompts[role] or None, task=role)
        return given


def refuse_other_kinds(files: ModelFiles) -> None:
    """Raise `ModelFilesError` for a model with code of its own, and for one that makes no vectors."""
    folder = files.folder
    if (folder / MODULES).is_file():
        for module in read_json(folder / MODULES, list[dict[str, Any]]):
            if not str(module.get("type")).startswith("sentence_transformers."):
                raise ModelFilesError(
                    f"The model in {folder} brings code of its own ({module.get('type')}), which Embedway does not run."
                )
    card = folder / "config_sentence_transformers.json"
    kind = read_json(card, dict[str, Any]).get("model_type") if card.is_file() else None
    named = read_json(folder / CONFIG, dict[str, Any]).get("architectures") or [""]
    if kind not in (None, "SentenceTransformer") or str(named[0]).endswith("ForSequenceClassification"):
        raise ModelFilesError(
            f"The model in {folder} is a {kind or named[0]}; the sentence backend runs embedders only."
        )


def load(files: ModelFiles, device: Any, dtype: Any) -> Any:
    """The library's model. Raises `ModelFilesError` with the library's reason where it cannot be loaded."""
    try:
        model = SentenceTransformer(
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
        reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")
        raise ModelFilesError(f"sentence-transformers cannot load {files.folder}: {reason}.") from error
    return model.eval()


def choose_max_tokens(files: ModelFiles, model: Any, spec: ModelSpec) -> int:
    """What is asked for, at most what the model has. Raises `ModelFilesError` where neither says anything."""
    own = model.max_seq_length
    if spec.max_tokens is None:
        if own is None:
            raise ModelFilesError(f"{files.folder} does not say how long a text may be; set max_tokens.")
        return int(own)
    if own is not None and not 1 <= spec.max_tokens <= own:
        raise ModelFilesError(f"max_tokens = {spec.max_tokens} of the model {spec.name!r} must be between 1 and {own}.")
    return spec.max_tokens


def choose_prompts(model: Any) -> Mapping[Role, str]:
    """Each role's prompt by the model's own names, else its default one, else none."""
    prompts: Mapping[str, str] = model.prompts
    default = prompts.get(model.default_prompt_name or "") or ""
    return {
        role: next((prompts[name] for name in names if prompts.get(name)), default) for role, names in NAMES.items()
    }
