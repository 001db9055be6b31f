"""Rotary frequencies, each scaling against its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from embedway.errors import ModelFilesError
from embedway.models.families.rotary import read_rotation

DEPTH, BASE = 16, 10_000.0
PLAIN = np.array([BASE ** (-2 * place / DEPTH) for place in range(DEPTH // 2)])


def test_the_papers_own_frequencies() -> None:
    """The base from the newer place, the older one, or the family's default."""
    for config in ({}, {"rope_theta": BASE}, {"rope_parameters": {"rope_type": "default", "rope_theta": BASE}}):
        rotation = read_rotation(config, DEPTH)
        assert rotation.frequencies == pytest.approx(PLAIN, rel=1e-6)
        assert rotation.frequencies.dtype == np.float32
        assert rotation.factor == 1.0


def test_a_part_of_a_head_may_be_turned() -> None:
    """`partial_rotary_factor` says which."""
    assert len(read_rotation({"partial_rotary_factor": 0.5}, DEPTH).frequencies) == DEPTH // 4


def test_each_kind_of_layer_may_have_its_own() -> None:
    """As in Gemma 3."""
    config = {"rope_parameters": {"sliding_attention": {"rope_theta": 100.0}, "full_attention": {"rope_theta": 1e6}}}
    assert read_rotation(config, DEPTH, "sliding_attention").frequencies[1] == pytest.approx(100 ** (-2 / DEPTH))
    assert read_rotation(config, DEPTH, "full_attention").frequencies[1] == pytest.approx(1e6 ** (-2 / DEPTH))


def test_linear_scaling_divides_all() -> None:
    """In the older form of the config, which says `type`."""
    assert read_rotation({"rope_scaling": {"type": "linear", "factor": 4.0}}, DEPTH).frequencies == pytest.approx(
        PLAIN / 4, rel=1e-6
    )


def test_llama3_scaling_divides_what_turns_slowly() -> None:
    """Less than once in the trained length: divided; more than four times: kept; between: between."""
    trained = 2_000
    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": trained,
    }
    got = read_rotation({"rope_scaling": scaling}, DEPTH).frequencies
    turns = trained * PLAIN / (2 * math.pi)
    assert got[turns > 4] == pytest.approx(PLAIN[turns > 4], rel=1e-6)
    assert got[turns < 1] == pytest.approx(PLAIN[turns < 1] / 8, rel=1e-6)
    between = (turns > 1) & (turns < 4)
    assert between.sum() == 2
    share = (turns[between] - 1) / 3
    assert got[between] == pytest.approx(PLAIN[between] * (share + (1 - share) / 8), rel=1e-5)


def test_yarn_keeps_the_fast_and_divides_the_slow() -> None:
    """And raises sine and cosine by 0.1 ln(factor) + 1."""
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2_048}
    rotation = read_rotation({"rope_scaling": scaling, "max_position_embeddings": 8_192}, DEPTH)
    assert rotation.frequencies[0] == pytest.approx(PLAIN[0], rel=1e-6)
    assert rotation.frequencies[-1] == pytest.approx(PLAIN[-1] / 4, rel=1e-6)
    assert (np.diff(rotation.frequencies / PLAIN) <= 1e-6).all()
    assert rotation.factor == pytest.approx(0.1 * math.log(4) + 1)


@pytest.mark.parametrize(
    ("rope", "said"),
    [
        ({"rope_type": "longrope", "factor": 2.0}, "longrope.*supported are"),
        ({"rope_type": "linear"}, "factor"),
        (
            {"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 512},
            "max_position_embeddings.*512",
        ),
    ],
)
def test_what_is_not_done_is_refused(rope: dict[str, Any], said: str) -> None:
    """In one sentence that names it."""
    with pytest.raises(ModelFilesError, match=said):
        read_rotation({"rope_scaling": rope, "max_position_embeddings": 4_096}, DEPTH)


def test_dynamic_scaling_changes_nothing_within_the_trained_length() -> None:
    """And longer texts are cut."""
    config = {"rope_scaling": {"type": "dynamic", "factor": 2.0}, "max_position_embeddings": 512}
    assert read_rotation(config, DEPTH).frequencies == pytest.approx(PLAIN, rel=1e-6)
