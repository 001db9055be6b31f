"""`alibabacloud-searchplat20240529`: texts and images in one space, ranking among them, multimodal deployments."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

Report = dict[str, Any]


def test_texts_and_images_in_one_request(pictures_report: Report) -> None:
    """Base64 and data URIs beside a text; usage tells tokens of images from those of texts."""
    found = pictures_report["mixed"]
    assert "raised" not in found, found
    assert found["indexes"] == [0, 1, 2]
    images, image_tokens, text_tokens, tokens = found["usage"]
    assert images == 2
    assert image_tokens > 0
    assert text_tokens > 0
    assert tokens == image_tokens + text_tokens
    assert np.linalg.norm(np.array(found["vectors"]), axis=1) == pytest.approx(1, abs=1e-5)


def test_ranking_by_an_image(pictures_report: Report) -> None:
    """The image itself is nearest to itself; scores lie in 0 to 1, best first."""
    scores = pictures_report["rank"]
    assert scores[0] == [2, pytest.approx(1, abs=1e-5)]
    assert sorted((score for _, score in scores), reverse=True) == [score for _, score in scores]
    assert sorted(index for index, _ in scores) == [0, 1, 2]


def test_a_multimodal_deployment(pictures_report: Report) -> None:
    """The document's body, with `type` in each row; the vectors of the service by id."""
    rows = json.loads(pictures_report["predict_image"])["embeddings"]
    assert [(row["index"], row["type"]) for row in rows] == [(0, "image"), (1, "image")]
    mixed = pictures_report["mixed"]["vectors"]
    assert np.allclose([row["embedding"] for row in rows], mixed[1:], atol=1e-6)
    (text,) = json.loads(pictures_report["predict_text"])["embeddings"]
    assert text["type"] == "text"
    assert np.allclose(text["embedding"], mixed[0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("both", "a text or an image in one element, not both. (input[0])"),
        ("broken", "not a PNG, JPEG, WebP, GIF or BMP file: send one of these. (input[1]"),
        ("url", "fetches no URLs"),
        ("predict_kind", "type must be text or image"),
    ],
)
def test_errors(pictures_report: Report, name: str, said: str) -> None:
    """Every refusal says what is wrong and where."""
    found = pictures_report[name]
    assert found["raised"] == "UnretryableException"
    assert found["code"] == "InvalidParameter"
    assert found["data"]["statusCode"] == 400
    assert said in found["data"]["message"]
