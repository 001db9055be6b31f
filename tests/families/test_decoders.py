"""What decoder families refuse, and what their configs mean where they are silent."""

from __future__ import annotations

from typing import Any

import pytest

from embedway.errors import ModelFilesError
from embedway.models.families import find_family

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}
KINDS = ("gemma3_text", "llama", "mistral", "qwen2", "qwen3")


def check(family: str, **changes: Any) -> None:
    find_family(family).check({"model_type": family, **SIZES, **changes})


@pytest.mark.parametrize("family", KINDS)
def test_a_whole_config_is_taken(family: str) -> None:
    """With nothing but the sizes."""
    check(family)


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"intermediate_size": None}, "intermediate_size"),
        ({"num_key_value_heads": 3}, "cannot share 3 keys"),
        ({"layer_types": ["full_attention"]}, "must name 2 layers"),
        ({"layer_types": ["full_attention", "chunked_attention"]}, "layer_types"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "longrope"),
        ({"hidden_act": "relu", "hidden_activation": "relu"}, "'relu' is not supported"),
    ],
)
def test_a_config_that_would_be_answered_wrongly_is_refused(family: str, changes: dict[str, Any], said: str) -> None:
    """In one sentence."""
    with pytest.raises(ModelFilesError, match=said):
        check(family, **changes)


def test_who_brings_code_of_its_own_must_say_what_it_does() -> None:
    """One published model's config says that it is not causal, and its code is; others' say nothing."""
    code = {"AutoModel": "modeling_qwen.Qwen2Model"}
    for config in ({}, {"is_causal": False}):
        with pytest.raises(ModelFilesError, match="remove auto_map"):
            check("qwen2", auto_map=code, **config)
    check("qwen2", auto_map=code, is_causal=True)
    check("qwen2", is_causal=False)


def test_capped_scores_are_refused() -> None:
    """Gemma 2 had them; Gemma 3 has not."""
    with pytest.raises(ModelFilesError, match="attn_logit_softcapping"):
        check("gemma3_text", attn_logit_softcapping=50.0)
