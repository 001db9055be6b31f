"""The `openai` package: sync and async, with its default of base64, its exceptions and its retries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.configs import MODEL
from tests.wire.golden import decode, vector_faults

TEXT = "I believe the meaning of life is"
Report = dict[str, Any]


def test_default_is_base64_decoded_by_the_client(openai_report: Report) -> None:
    """A plain call gives floats: the client asked for base64 and decoded it."""
    found = openai_report["default"]
    assert vector_faults(found["vectors"][0], TEXT) == []
    assert found["model"] == MODEL
    assert found["usage"] == [9, 9]
    assert found["request_id"]


@pytest.mark.parametrize("name", ["float", "native", "extra"])
def test_other_ways_to_the_same_vector(openai_report: Report, name: str) -> None:
    """Explicit floats, the native dimensions and extra fields give the same vector."""
    assert vector_faults(openai_report[name]["vectors"][0], TEXT) == []


def test_explicit_base64_is_left_alone(openai_report: Report) -> None:
    """With an explicit base64 the client hands out the text, and it decodes to the vector."""
    assert vector_faults(decode(openai_report["base64"]["vectors"][0]), TEXT) == []


def test_list(openai_report: Report) -> None:
    """A list keeps its order."""
    found = openai_report["list"]
    assert found["indexes"] == [0, 1, 2]
    assert found["usage"] == [9, 9]
    for vector, text in zip(found["vectors"], ["hi", "a", "b"], strict=True):
        assert vector_faults(vector, text) == []


@pytest.mark.parametrize(
    ("name", "raised", "status", "code", "word"),
    [
        ("dimensions", "BadRequestError", 400, None, "384"),
        ("tokens", "BadRequestError", 400, None, "check_embedding_ctx_length=False"),
        ("empty", "BadRequestError", 400, None, "empty"),
        ("unknown", "NotFoundError", 404, "model_not_found", "no-such-model"),
        ("async_unknown", "NotFoundError", 404, "model_not_found", "no-such-model"),
        ("retrieve_unknown", "NotFoundError", 404, "model_not_found", "acme/none"),
        ("stranger", "AuthenticationError", 401, "invalid_api_key", "key"),
        ("compatible_empty", "BadRequestError", 400, "InvalidParameter", "empty"),
        ("compatible_unknown", "BadRequestError", 400, "ServiceIdNotExist", "no-such-service"),
        ("compatible_stranger", "AuthenticationError", 401, "InvalidApiKey", "key"),
    ],
)
def test_exceptions(openai_report: Report, name: str, raised: str, status: int, code: str | None, word: str) -> None:
    """Refusals become the client's own exceptions, with status, code, message and request id."""
    found = openai_report[name]
    assert found["raised"] == raised
    assert found["status_code"] == status
    assert found["request_id"]
    assert word in found["message"]
    if code is not None:
        assert found["code"] == code


def test_param_names_the_field(openai_report: Report) -> None:
    """`param` of an exception is the field at fault."""
    assert openai_report["dimensions"]["param"] == "dimensions"


def test_models(openai_report: Report) -> None:
    """`models.list` and `models.retrieve` work, for a name with a slash too."""
    assert {MODEL, "acme/minilm"} <= set(openai_report["models"])
    assert openai_report["async_models"] == openai_report["models"]
    assert openai_report["retrieve"] == MODEL
    assert openai_report["retrieve_slash"] == "acme/minilm"


def test_compatible_mode(openai_report: Report) -> None:
    """The vendor's compatible mode serves the same client."""
    found = openai_report["compatible"]
    assert found["model"] == "ops-text-embedding-001"
    assert vector_faults(found["vectors"][0], TEXT) == []
    assert found["usage"] == [9, 9]


def test_async(openai_report: Report) -> None:
    """Concurrent calls of the asynchronous client each get their own texts' vectors."""
    for found, text in zip(openai_report["async"], ["hi", "a", "b", "hello"], strict=True):
        assert vector_faults(found["vectors"][0], text) == []
        assert vector_faults(found["vectors"][1], TEXT) == []


def test_bad_request_is_not_retried(overloaded_report: Report) -> None:
    """A 400 goes out once."""
    assert overloaded_report["refused"]["raised"] == "BadRequestError"
    assert overloaded_report["refused_tries"] == ["0"]


def test_overload_is_retried(overloaded_report: Report) -> None:
    """A 429 is a RateLimitError; a client that may retry comes back after `Retry-After` and is served."""
    assert overloaded_report["overloaded"]["raised"] == "RateLimitError"
    assert overloaded_report["overloaded"]["status_code"] == 429
    assert overloaded_report["overloaded_tries"] == ["0"]
    assert vector_faults(overloaded_report["retried"]["vectors"][0], TEXT) == []
    assert overloaded_report["retried_tries"][:2] == ["0", "1"]
