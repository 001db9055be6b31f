"""Any text to the real model: a tokenizer and a network have corners of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server import Server, serving

from .test_bodies import bounded
from .values import encode
from .wire import Wire, check

ODD = st.sampled_from(
    ["\0", "\u200d", "\ufeff", "\u202e", "\U0010ffff", "[CLS]", "[MASK][PAD]", "##ing", "\U0001f469\u200d\U0001f4bb"]
)
TEXTS = st.text(min_size=1, max_size=60) | st.builds(
    lambda one, times: one * times, ODD | st.text(), st.integers(1, 900)
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the bundled model."""
    with serving(tmp_path_factory.mktemp("real"), "--dtype", "fp32") as server:
        yield server


@pytest.fixture(scope="module")
def real_wire(real: Server) -> Iterator[Wire]:
    """A kept connection to it."""
    connected = Wire(real)
    yield connected
    connected.close()


@bounded(max_examples=50)
@given(texts=st.lists(TEXTS.filter(bool), min_size=1, max_size=4))
def test_any_text(real_wire: Wire, texts: list[str]) -> None:
    """Any Unicode text has a vector of 384 finite numbers and length 1, and costs 2 to 256 tokens."""
    answer = real_wire.send("/v1/embeddings", encode({"input": texts}), {})
    assert check("/v1/embeddings", answer) == 200
    vectors = np.array([row["embedding"] for row in answer.json()["data"]])
    assert vectors.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert 2 * len(texts) <= answer.json()["usage"]["total_tokens"] <= 256 * len(texts)
