"""CLIP: Radford et al. 2021 (arXiv:2103.00020); tensor names as `transformers.CLIPModel` saves them.

The text's vector is the hidden state of its end token. The tower is causal, so nothing behind that token matters: texts
come cut after it (`models.vision.cut_behind_end`), and the last token is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families import tower
from embedway.models.families.encoder import require
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES: tuple[str, ...] = ()
LEAD = 1
TEXT: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 49408,
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "eos_token_id": 49407,
    }
)
VISION: Mapping[str, Any] = MappingProxyType(
    {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_channels": 3,
        "image_size": 224,
        "patch_size": 32,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    }
)
IMAGES: Mapping[str, Any] = MappingProxyType(
    {
        "do_resize": True,
        "size": {"shortest_edge": 224},
        "square": False,
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
)
"""`square` says what a single number as size means: both sides, or the shorter one."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    tower.check(config)
    require(config, "projection_dim")
    end = config["text_config"]["eos_token_id"]
    if not isinstance(end, int):
        raise ModelFilesError(f"eos_token_id in config.json is {end!r}, not the id of one token: it is damaged.")


def dimensions(config: Mapping[str, Any]) -> int:
    """The length of the vectors of both towers."""
    return int(config["projection_dim"])


def encode_text(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """`[items, dimensions]`, of length 1."""
    text = config["text_config"]
    x = tower.layers(ops, "text_model", text, tower.embed_text(ops, text, tokens), causal=True)
    width = text["hidden_size"]
    end = ops.layer_norm("text_model.final_layer_norm", ops.pool(x, "last"), width, text["layer_norm_eps"])
    return ops.normalize(ops.linear("text_projection", end, width, dimensions(config), bias=False))


def encode_image(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """`[items, dimensions]`, of length 1."""
    vision = config["vision_config"]
    width, eps = vision["hidden_size"], vision["layer_norm_eps"]
    x = tower.embed_image(ops, vision, tokens, LEAD, bias=False)
    x = ops.lead("vision_model.embeddings.class_embedding", x, width)
    x = ops.layer_norm("vision_model.pre_layrnorm", x, width, eps)
    x = tower.layers(ops, "vision_model", vision, x)
    first = ops.layer_norm("vision_model.post_layernorm", ops.pool(x, "cls"), width, eps)
    return ops.normalize(ops.linear("visual_projection", first, width, dimensions(config), bias=False))
