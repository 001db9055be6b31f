"""What a folder with a text and a vision tower says of itself: CLIP and SigLIP, plain as transformers saves them or
with the modules of sentence-transformers.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from embedway.errors import ModelFilesError
from embedway.models.card import Card, read_card, read_sentence
from embedway.models.families import clip, siglip, tower
from embedway.models.folder import read_json, read_optional, unsupported
from embedway.models.images import read_image
from embedway.models.pixels import Preparation, read_preparation, unfold
from embedway.models.prompts import Prompts, choose_prompts
from embedway.models.recipe import NO_LIMIT, digest
from embedway.models.source import CONFIG, MODULES, ModelFiles
from embedway.models.tokens import TextReader
from embedway.types import Features, Image, ModelSpec, Text

Ids = npt.NDArray[np.int32]

FAMILIES: Mapping[str, ModuleType] = MappingProxyType({"clip": clip, "siglip": siglip})
"""Networks of two towers, by the `model_type` of config.json."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class VisionRecipe:
    """How a model makes vectors of texts and of images.

    `family` is a key of `FAMILIES`; `config` is `config.json` with all that the library fills in. `max_tokens` is the
    longest text, special and prompt tokens included, `image_tokens` what every image has. `filling` is the token with
    which texts are filled up, on the side `filled`, or None where they are not. `canonical` asks for `canonicalize`
    before tokenizing. `digest` changes when a vector can.
    """

    family: str
    config: Mapping[str, Any]
    preparation: Preparation
    max_tokens: int
    image_tokens: int
    dimensions: int
    prompts: Prompts
    lowercase: bool
    filling: str | None
    filled: Literal["left", "right"]
    canonical: bool
    digest: str

    @property
    def network(self) -> ModuleType:
        return FAMILIES[self.family]


class _Config(msgspec.Struct):
    model_type: str = ""


class _Tokenizer(msgspec.Struct):
    """What `tokenizer_config.json` says of texts' length and filling."""

    model_max_length: int | float | None = None
    pad_token: str | dict[str, Any] | None = None
    padding_side: Literal["left", "right"] = "right"
    model_input_names: list[str] | None = None
    tokenizer_class: str | None = None


class _Sentence(msgspec.Struct):
    """What `sentence_bert_config.json` says of how the library calls its processor, by kind of input."""

    processing_kwargs: dict[str, dict[str, Any]] = {}


class _Module(msgspec.Struct):
    type: str
    path: str = ""


def sees_images(files: ModelFiles) -> bool:
    """Whether the folder's network has the two towers of a family here."""
    return read_json(files.folder / CONFIG, _Config).model_type in FAMILIES


def read_vision(files: ModelFiles, spec: ModelSpec) -> VisionRecipe:
    """Read what the folder says; `spec.max_tokens` goes before the folder's own limit.

    Raises `ModelFilesError`: a file is damaged, the model needs what is not supported, or sizes do not fit together.
    """
    folder = files.folder
    raw = read_json(folder / CONFIG, dict[str, Any])
    family = FAMILIES[raw["model_type"]]
    config = complete(raw, family)
    card = check_modules(folder) if (folder / MODULES).is_file() else Card()
    preparation = read_preparation(folder, family.IMAGES)
    check_result(preparation, config)
    tokenizer = read_optional(folder / "tokenizer_config.json", _Tokenizer)
    sentence = read_sentence(folder)
    max_tokens = choose_max_tokens(config, sentence.max_seq_length or tokenizer.model_max_length, spec)
    prompts = choose_prompts(folder, card, None, spec)
    filling = read_filling(folder, tokenizer) if family is siglip else None
    canonical = (tokenizer.tokenizer_class or "").startswith("SiglipTokenizer")
    reading = [max_tokens, repr(prompts), sentence.do_lower_case, canonical, filling, tokenizer.padding_side]
    return VisionRecipe(
        family=raw["model_type"],
        config=MappingProxyType(config),
        preparation=preparation,
        max_tokens=max_tokens,
        image_tokens=tower.grid(config["vision_config"]).patches + family.LEAD,
        dimensions=family.dimensions(config),
        prompts=prompts,
        lowercase=sentence.do_lower_case,
        filling=filling,
        filled=tokenizer.padding_side,
        canonical=canonical,
        digest=digest(files, raw, [repr(preparation), *reading], {}),
    )


def complete(raw: Mapping[str, Any], family: ModuleType) -> dict[str, Any]:
    """The config with what the library fills in, checked. Raises `ModelFilesError`."""
    try:
        config = tower.complete({"projection_dim": 512, **raw}, family.TEXT, family.VISION)
        vision = config["vision_config"]
        config["vision_config"] = {**vision, **{key: _square(vision[key]) for key in ("image_size", "patch_size")}}
    except TypeError as error:
        raise ModelFilesError(f"text_config or vision_config in config.json is damaged ({error}).") from error
    family.check(config)
    return config


def check_modules(folder: Path) -> Card:
    """The card of a model of sentence-transformers. Raises `ModelFilesError` for modules other than the network and a
    normalisation, and for models of another kind.
    """
    modules = read_json(folder / MODULES, list[_Module])
    kinds = [module.type.rpartition(".")[2] for module in modules]
    for module in modules:
        if not module.type.startswith("sentence_transformers."):
            raise unsupported(folder, f"it brings code of its own ({module.type})")
    if kinds not in (["Transformer"], ["CLIPModel"], ["Transformer", "Normalize"], ["CLIPModel", "Normalize"]):
        raise unsupported(folder, f"its modules are {', '.join(kinds) or 'none'}")
    if modules[0].path:
        raise unsupported(folder, f"its network is in the subfolder {modules[0].path}: give that folder as source")
    told = read_optional(folder / "sentence_bert_config.json", _Sentence).processing_kwargs
    if told.keys() - {"text"} or told.get("text", {}).keys() - {"padding"}:
        raise unsupported(folder, f"its processor is called with settings for {' and '.join(sorted(told))}")
    card = read_card(folder)
    if card.model_type != "SentenceTransformer":
        raise unsupported(folder, f"it is a {card.model_type} of images")
    return card


def check_result(preparation: Preparation, config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` unless images come out as large as the vision tower takes them."""
    size = config["vision_config"]["image_size"]
    if preparation.result != (size, size):
        found = "no one size" if preparation.result is None else "{} x {} pixels".format(*preparation.result)
        raise ModelFilesError(
            f"The image processor brings images to {found}, the network takes {size} x {size}: "
            "they do not belong together."
        )


def choose_max_tokens(config: Mapping[str, Any], own: float | None, spec: ModelSpec) -> int:
    """The longest text in tokens: what the spec asks for, else `own`, never more than positions."""
    positions = int(config["text_config"]["max_position_embeddings"])
    if (asked := spec.max_tokens) is not None:
        if not 1 <= asked <= positions:
            raise ModelFilesError(
                f"max_tokens = {asked} of the model {spec.name!r} must be between 1 and {positions}, the positions "
                "that it has."
            )
        return asked
    return min(int(own), positions) if own and 0 < own < NO_LIMIT else positions


def read_filling(folder: Path, tokenizer: _Tokenizer) -> str:
    """The token that fills texts up. Raises `ModelFilesError` where the tokenizer's files name none, or hide it from
    the network, which was not trained so.
    """
    if tokenizer.model_input_names != ["input_ids"]:
        raise unsupported(folder, "its tokenizer hides from the network what fills texts up (model_input_names)")
    named = tokenizer.pad_token
    token = named.get("content") if isinstance(named, dict) else named
    if not isinstance(token, str):
        raise ModelFilesError(f"{folder / 'tokenizer_config.json'} names no pad_token, which the network must see.")
    return token


class VisionReader:
    """Makes features of texts and of images; safe to call from many threads at once."""

    def __init__(self, files: ModelFiles, recipe: VisionRecipe, spec: ModelSpec) -> None:
        self._recipe = recipe
        self._texts = TextReader(
            files.folder,
            recipe.max_tokens,
            recipe.prompts.by_role,
            recipe.lowercase,
            spec.truncation or "cut",
            recipe.prompts.once,
            recipe.prompts.named,
        )
        vocabulary = recipe.config["text_config"]["vocab_size"]
        if self._texts.vocabulary_size > vocabulary:
            raise ModelFilesError(
                f"The tokenizer knows {self._texts.vocabulary_size} tokens, the model {vocabulary}: "
                "they do not belong together."
            )
        self._filling = self._texts.id_of(recipe.filling) if recipe.filling is not None else None

    @property
    def texts(self) -> TextReader:
        """The reader of texts alone."""
        return self._texts

    def read_text(self, item: Text) -> Features:
        """Tokens as the text tower takes them. Raises `InvalidInput` for a text too long where that is refused."""
        if self._recipe.canonical:
            item = replace(item, text=canonicalize(self._texts.prompt(item) + item.text), prompt="")
        read, text = self._texts.read(item), self._recipe.config["text_config"]
        if self._filling is None:
            ids = cut_behind_end(read.ids, text["eos_token_id"])
        else:
            ids = fill_up(read.ids, text["max_position_embeddings"], self._filling, self._recipe.filled)
        return Features(ids=ids, cost=len(ids), cut=read.cut, outputs=item.outputs)

    def read_image(self, item: Image) -> Features:
        """Patches of pixels. Raises `InvalidInput` for what is no image, damaged, or too large."""
        side = self._recipe.config["vision_config"]["patch_size"]
        patches = unfold(self._recipe.preparation.apply(read_image(item.data)), side)
        pixels = np.pad(patches, [(self._recipe.network.LEAD, 0), (0, 0)])
        return Features(np.zeros(0, dtype=np.int32), len(pixels), outputs=item.outputs, pixels=pixels)


def canonicalize(text: str) -> str:
    """As SigLIP's authors and the library's `SiglipTokenizer` have it: lower case, no punctuation, single spaces. The
    tokenizer file that is published beside keeps some of the punctuation.
    """
    return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()


def cut_behind_end(ids: Ids, end: int) -> Ids:
    """CLIP's text up to the token whose hidden state is the vector: the first `end`, or the very first token where
    there is none. Configs of before 2023 say 2, and mean the highest id, which the end token had.
    """
    place = int(ids.argmax() if end == 2 else (ids == end).argmax())
    return ids[: place + 1]


def fill_up(ids: Ids, length: int, filling: int, side: Literal["left", "right"] = "right") -> Ids:
    """The text with `filling` at its side, `[length]`."""
    missing = length - len(ids)
    return np.pad(ids, (missing, 0) if side == "left" else (0, missing), constant_values=filling)


def _square(size: Any) -> Any:
    """A length that may be written twice, once for each direction."""
    return size[0] if isinstance(size, list) and size and size == [size[0]] * len(size) else size
