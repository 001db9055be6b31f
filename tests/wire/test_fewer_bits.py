"""What is lost in fewer bits, on the bundled model and the texts that precisions are compared on."""

from __future__ import annotations

import numpy as np

from embedway.models.sample import TEXTS
from tests.server import Server

from .configs import MODEL
from .exchange import post


def order(cosines: np.ndarray) -> np.ndarray:
    """For each text the others, nearest first."""
    return np.argsort(-np.where(np.eye(len(cosines), dtype=bool), -np.inf, cosines), axis=1)


def test_neighbours_stay(plain: Server) -> None:
    """In int8 every text keeps its nearest neighbour, and every cosine to 0.01; by its bits alone half of them do, and
    four in five find it among the nearest five.
    """
    body = {"model": MODEL, "texts": list(TEXTS), "embedding_types": ["float", "int8", "ubinary"]}
    found = post(plain, "/v2/embed", body).json()["embeddings"]
    vectors, steps = np.array(found["float"]), np.array(found["int8"], dtype=np.float64)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    assert np.abs(steps @ steps.T - cosines).max() < 0.01
    nearest = order(cosines)[:, :1]
    assert (order(steps @ steps.T)[:, :1] == nearest).all()
    signs = np.unpackbits(np.array(found["ubinary"], dtype=np.uint8), axis=1).astype(float) * 2 - 1
    kept = order(signs @ signs.T) == nearest
    assert kept[:, :1].any(axis=1).mean() >= 0.45
    assert kept[:, :5].any(axis=1).mean() >= 0.8
