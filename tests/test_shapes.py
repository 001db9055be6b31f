"""The known ids' shapes, as `python -m bench shapes` measures them: here with two layers and few words."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import folders, shapes
from bench.drivers.shape import measure

from embedway.models.services import SERVICES

TOKENS = 200


@pytest.mark.parametrize("service", [one.id for one in SERVICES.values() if one.task == "embedding"])
def test_an_ids_shape_answers_in_its_dimensions(service: str, tmp_path: Path) -> None:
    """A text as long as the model reads, from a folder in the real formats."""
    one = shapes.network(service)
    config = shapes.smaller(one, layers=2, vocabulary=1_500)
    folders.make(tmp_path, config, one.tokenizer, one.pooling, TOKENS, "bfloat16")
    told = measure(str(tmp_path), TOKENS, "fp32")
    assert told["dimensions"] == SERVICES[service].dimensions
    assert told["tokens"] == TOKENS


def test_every_networks_limit_is_the_ids() -> None:
    """The id's longest text has positions."""
    for service in shapes.NETWORKS:
        positions = shapes.network(service).config["max_position_embeddings"]
        assert positions >= SERVICES[service].max_tokens
