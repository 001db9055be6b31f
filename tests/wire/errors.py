"""How a refusal looks in each dialect. Each function checks one and returns the words a test asks about."""

from __future__ import annotations

from dataclasses import dataclass

from .exchange import Answer

Statuses = int | tuple[int, ...]


@dataclass(frozen=True)
class Refusal:
    """Code and message of an error; `param` is OpenAI's word for the field at fault."""

    code: str | None
    message: str
    param: str | None = None


def openai_refusal(answer: Answer, status: Statuses) -> Refusal:
    """Check `{"error": {message, type, param, code}}`."""
    _check_status(answer, status)
    body = answer.json()
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["message", "type", "param", "code"], error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["type"]
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    return Refusal(error["code"], error["message"], error["param"])


def vendor_refusal(answer: Answer, status: Statuses) -> Refusal:
    """Check the AI Search envelope: request_id, latency 0, code, message; the id also in `x-acs-request-id`."""
    _check_status(answer, status)
    body = answer.json()
    assert list(body) == ["request_id", "latency", "code", "message"], body
    assert isinstance(body["request_id"], str)
    assert body["request_id"]
    assert answer.headers["x-acs-request-id"] == body["request_id"]
    assert type(body["latency"]) is int
    assert body["latency"] == 0
    assert isinstance(body["code"], str)
    assert body["code"]
    assert isinstance(body["message"], str)
    assert body["message"]
    return Refusal(body["code"], body["message"])


def infinity_refusal(answer: Answer, status: Statuses) -> Refusal:
    """Check `{"error": {message, type, param, code}}` where the code is the status again."""
    _check_status(answer, status)
    body = answer.json()
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["message", "type", "param", "code"], error
    assert isinstance(error["type"], str)
    assert error["code"] == answer.status
    return Refusal(None, error["message"], error["param"])


def cohere_refusal(answer: Answer, status: Statuses) -> Refusal:
    """Check `{id, message}`; the id is the request's."""
    _check_status(answer, status)
    body = answer.json()
    assert list(body) == ["id", "message"], body
    assert body["id"] == answer.headers["x-request-id"]
    assert isinstance(body["message"], str)
    assert body["message"]
    return Refusal(None, body["message"])


def tei_refusal(answer: Answer, status: Statuses) -> Refusal:
    """Check `{error, error_type}`."""
    _check_status(answer, status)
    body = answer.json()
    assert list(body) == ["error", "error_type"], body
    assert isinstance(body["error"], str)
    assert body["error"]
    return Refusal(body["error_type"], body["error"])


def any_refusal(answer: Answer, status: Statuses) -> None:
    """Check that an error is a JSON object that says something, whatever its dialect."""
    _check_status(answer, status)
    body = answer.json()
    assert isinstance(body, dict)
    assert body


def _check_status(answer: Answer, status: Statuses) -> None:
    wanted = (status,) if isinstance(status, int) else status
    assert answer.status in wanted, f"{answer.status}, not {status}: {answer.body[:300]!r}"
