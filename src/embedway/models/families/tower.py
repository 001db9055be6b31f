"""What CLIP and SigLIP share: two towers of layers that are normalised in front, Dosovitskiy et al. 2020
(arXiv:2010.11929), under the names that transformers gives their tensors.

A family of two towers is a module with

    TEXT, VISION, IMAGES             what the library's own classes mean where the files are silent
    PREFIXES                         as other families have it
    LEAD                             rows that stand in front of an image's patches
    check(config)                    raises `ModelFilesError` for a config that it would answer wrongly
    dimensions(config)               the length of its vectors
    encode_text(ops, config, tokens), encode_image(ops, config, tokens)
                                     vectors of length 1, `[items, dimensions]`

where `config` is `config.json` with both towers' own parts filled in by `complete`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families.encoder import Sizes, activate, check_sizes, require
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

Config = Mapping[str, Any]
CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Grid:
    """How an image is cut: `down` times `across` patches, each `side` pixels wide and high."""

    down: int
    across: int
    side: int

    @property
    def patches(self) -> int:
        return self.down * self.across


def complete(config: Config, text: Config, vision: Config) -> dict[str, Any]:
    """The config with every key of both towers: `text` and `vision` are the library's own.

    Old configs repeat a tower's under `…_config_dict`, which goes before the other; the library fills that one up too.
    """
    parts = {}
    for name, own in (("text_config", text), ("vision_config", vision)):
        again = config.get(f"{name}_dict")
        parts[name] = {**own, **(config.get(name) or {}), **({**own, **again} if again is not None else {})}
    return {**config, **parts}


def grid(vision: Config) -> Grid:
    """Of images as large as the tower takes them."""
    size, side = vision["image_size"], vision["patch_size"]
    return Grid(size // side, size // side, side)


def check(config: Config) -> None:
    """Raise `ModelFilesError` for sizes that do not fit together or are not known here."""
    counts = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    text, vision = config["text_config"], config["vision_config"]
    require(text, *counts, "vocab_size", "max_position_embeddings")
    require(vision, *counts, "image_size", "patch_size")
    if vision["num_channels"] != CHANNELS:
        raise UnsupportedModel(f"The model reads images of {vision['num_channels']} colours; supported are {CHANNELS}.")
    if vision["patch_size"] > vision["image_size"]:
        raise ModelFilesError("A patch is larger than the image in config.json: it is damaged, fetch it again.")
    for part in (text, vision):
        check_sizes(part, sizes(part))


def sizes(part: Config) -> Sizes:
    """Of a layer of one tower."""
    return Sizes(
        width=part["hidden_size"],
        inner=part["intermediate_size"],
        heads=part["num_attention_heads"],
        eps=part["layer_norm_eps"],
        activation=part["hidden_act"],
    )


def embed_text(ops: Ops[T], text: Config, tokens: Packed[T]) -> T:
    """Tokens and their positions, `[n, width]`."""
    name, width = "text_model.embeddings", text["hidden_size"]
    words = ops.embedding(f"{name}.token_embedding.weight", text["vocab_size"], width, tokens.ids)
    rows = text["max_position_embeddings"]
    places = ops.embedding(f"{name}.position_embedding.weight", rows, width, tokens.positions)
    return ops.add(words, places)


def embed_image(ops: Ops[T], vision: Config, tokens: Packed[T], lead: int, bias: bool) -> T:
    """Patches and their positions, `[n, width]`; `lead` rows in front of them have positions too."""
    name, width, cut = "vision_model.embeddings", vision["hidden_size"], grid(vision)
    seen = ops.patches(f"{name}.patch_embedding", tokens.pixels, CHANNELS, cut.side, width, bias)
    places = ops.embedding(f"{name}.position_embedding.weight", cut.patches + lead, width, tokens.positions)
    return ops.add(seen, places)


def layers(ops: Ops[T], name: str, part: Config, x: T, causal: bool = False) -> T:
    """All layers of the tower `name`, `[n, width]` -> `[n, width]`."""
    for index in range(part["num_hidden_layers"]):
        x = layer(ops, f"{name}.encoder.layers.{index}", sizes(part), x, causal)
    return x


def layer(ops: Ops[T], name: str, own: Sizes, x: T, causal: bool) -> T:
    """One layer, `[n, width]` -> `[n, width]`."""
    width = own.width
    normed = ops.layer_norm(f"{name}.layer_norm1", x, width, own.eps)
    q, k, v = (ops.linear(f"{name}.self_attn.{part}_proj", normed, width, width) for part in "qkv")
    attended = ops.attention(q, k, v, own.heads, causal=causal)
    x = ops.add(x, ops.linear(f"{name}.self_attn.out_proj", attended, width, width))
    return ops.add(x, feed(ops, f"{name}.mlp", own, ops.layer_norm(f"{name}.layer_norm2", x, width, own.eps)))


def feed(ops: Ops[T], name: str, own: Sizes, x: T) -> T:
    """The two linear layers, `[n, width]` -> `[n, width]`."""
    wide = activate(ops, own.activation, ops.linear(f"{name}.fc1", x, own.width, own.inner))
    return ops.linear(f"{name}.fc2", wide, own.inner, own.width)
