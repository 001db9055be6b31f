"""SigLIP: Zhai et al. 2023 (arXiv:2303.15343), and SigLIP 2 with images of one size (arXiv:2502.14786); tensor names as
`transformers.SiglipModel` saves them.

The text's vector is that of its last place. The network was trained on texts filled up to the most tokens that it
reads, and sees the filling: so they come here (`models.vision.fill_up`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families import tower
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES: tuple[str, ...] = ()
LEAD = 0
TEXT: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 32000,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 64,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "projection_size": None,
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
        "patch_size": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "vision_use_head": True,
    }
)
IMAGES: Mapping[str, Any] = MappingProxyType(
    {
        "do_resize": True,
        "size": {"height": 224, "width": 224},
        "square": True,
        "resample": 3,
        "do_center_crop": False,
        "crop_size": None,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
)
"""`square` says what a single number as size means: both sides, or the shorter one."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    tower.check(config)
    if not config["vision_config"]["vision_use_head"]:
        raise ModelFilesError("The vision tower has no pooling head, so it gives no vectors: serve a model with one.")
    seen = config["vision_config"]["hidden_size"]
    if dimensions(config) != seen:
        raise ModelFilesError(
            f"Texts get {dimensions(config)} numbers and images {seen} by config.json, so they cannot be compared: "
            "it is damaged, fetch it again."
        )


def dimensions(config: Mapping[str, Any]) -> int:
    """The length of the vectors of both towers."""
    text = config["text_config"]
    return int(text["projection_size"] or text["hidden_size"])


def encode_text(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """`[items, dimensions]`, of length 1."""
    text = config["text_config"]
    x = tower.layers(ops, "text_model", text, tower.embed_text(ops, text, tokens))
    width = text["hidden_size"]
    last = ops.layer_norm("text_model.final_layer_norm", ops.pool(x, "last"), width, text["layer_norm_eps"])
    return ops.normalize(ops.linear("text_model.head", last, width, dimensions(config)))


def encode_image(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """`[items, dimensions]`, of length 1."""
    vision, own = config["vision_config"], tower.sizes(config["vision_config"])
    x = tower.embed_image(ops, vision, tokens, LEAD, bias=True)
    x = tower.layers(ops, "vision_model", vision, x)
    x = ops.layer_norm("vision_model.post_layernorm", x, own.width, own.eps)
    name = "vision_model.head"
    pooled = ops.attention_pool(name, x, own.width, own.heads)
    pooled = ops.linear(f"{name}.attention.out_proj", pooled, own.width, own.width)
    normed = ops.layer_norm(f"{name}.layernorm", pooled, own.width, own.eps)
    return ops.normalize(ops.add(pooled, tower.feed(ops, f"{name}.mlp", own, normed)))
