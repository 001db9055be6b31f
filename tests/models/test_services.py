"""The known service ids: their facts, how each is deployed, and which models may answer under them."""

from __future__ import annotations

import dataclasses
import re
import tomllib

import pytest

from embedway.errors import ModelFilesError, SetupError
from embedway.models.services import SERVICES, Service, check_fits, deploy_hint, weights_of

FACTS = {
    "ops-text-embedding-001": (1536, 300),
    "ops-text-embedding-zh-001": (768, 1024),
    "ops-text-embedding-en-001": (768, 512),
    "ops-text-embedding-002": (1024, 8192),
    "ops-gte-sentence-embedding-multilingual-base": (768, 8192),
    "ops-qwen3-embedding-0.6b": (1024, 32768),
}
SERVICE = SERVICES["ops-text-embedding-en-001"]


def test_facts_are_those_of_the_document() -> None:
    """Dimensions and longest text of the six text-embedding services."""
    texts = {name: each for name, each in SERVICES.items() if each.task == "embedding"}
    assert {name: (each.dimensions, each.max_tokens) for name, each in texts.items()} == FACTS


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_row_is_sound(service: Service) -> None:
    """Each row stands under its own id, and names weights exactly where some are believed to be behind it."""
    assert SERVICES[service.id] is service
    assert (service.weights is None) == (service.certainty == "stand_in")
    assert service.weights or service.stand_ins or service.task != "embedding"


def test_table_cannot_be_changed() -> None:
    """The table is shared by everyone who imports it."""
    with pytest.raises(TypeError):
        SERVICES["mine"] = SERVICE  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        SERVICE.dimensions = 1  # type: ignore[misc]


@pytest.mark.parametrize("service", [SERVICES[name] for name in FACTS], ids=FACTS)
def test_hint_is_a_configuration_that_reads(service: Service) -> None:
    """The hint is one sentence; what it says to write is TOML of a model under this very name."""
    hint = deploy_hint(service)
    assert "[[model]]" in hint
    assert "embedway serve --stand-in" in hint
    assert hint.endswith(".")
    keys = re.findall(r'\w+ = (?:"[^"]+"|true)', hint)
    model = tomllib.loads("\n".join(keys))
    assert model["name"] == service.id
    assert model["source"] in (service.weights, *service.stand_ins)
    assert model.get("stand_in", False) is (service.weights is None)


def test_hint_for_what_this_version_does_not_serve() -> None:
    """A known id of another task is named as that."""
    assert deploy_hint(SERVICES["ops-embedding-dim-reduction-001"]) == (
        "'ops-embedding-dim-reduction-001' is a service for reduction, which this version does not serve."
    )


def test_hint_for_images() -> None:
    """No bundled model reads them: the hint names one to fetch."""
    assert deploy_hint(SERVICES["ops-m2-encoder"]) == (
        'Deploy it with a [[model]] block of name = "ops-m2-encoder" and source = "openai/clip-vit-large-patch14", '
        "stand_in = true; embedway pull openai/clip-vit-large-patch14 fetches it."
    )


def test_weights_behind_an_id() -> None:
    """The hub id, or a sentence with what can stand in."""
    assert weights_of(SERVICES["ops-qwen3-embedding-0.6b"]) == "Qwen/Qwen3-Embedding-0.6B"
    with pytest.raises(ModelFilesError, match=r"No weights .* stand-in: BAAI/bge-base-en-v1\.5, thenlper/gte-base"):
        weights_of(SERVICE)
    with pytest.raises(ModelFilesError, match=r"are public\. Serve one"):
        weights_of(SERVICES["ops-mm-reranker-001"])


def test_hint_where_nothing_is_known() -> None:
    """Given neither weights nor stand-ins, the hint leaves the source open."""
    unknown = dataclasses.replace(SERVICE, weights=None, stand_ins=())
    assert 'source = "<folder>"' in deploy_hint(unknown)


@pytest.mark.parametrize("max_tokens", [512, 8192])
def test_model_that_fits(max_tokens: int) -> None:
    """A model of the same length that reads at least as much fits."""
    check_fits(SERVICE, 768, max_tokens)


@pytest.mark.parametrize(
    ("dimensions", "max_tokens", "said"),
    [
        (384, 512, "has 384 dimensions instead of 768;"),
        (768, 256, "reads 256 tokens instead of 512;"),
        (1024, 256, "has 1024 dimensions instead of 768 and reads 256 tokens instead of 512;"),
    ],
)
def test_model_that_differs_is_refused(dimensions: int, max_tokens: int, said: str) -> None:
    """The error says what differs, under which id, and what permits it."""
    with pytest.raises(SetupError) as caught:
        check_fits(SERVICE, dimensions, max_tokens)
    assert said in caught.value.message
    assert SERVICE.id in caught.value.message
    assert "stand_in = true" in caught.value.message
