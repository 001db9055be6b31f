"""The vendor's own clients with an access key, unchanged: what they sign is believed, and they understand refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.server import serving

from .conftest import report, run_client

KEY_ID, SECRET = "LTAItest", "a-secret-of-the-tests"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the clients report of a server with one access key."""
    env = {"EMBEDWAY_ACCESS_KEYS": f"{KEY_ID}:{SECRET}"}
    with serving(tmp_path_factory.mktemp("signed"), "--model", "m=fake", env=env) as server:
        return report("searchplat", f"127.0.0.1:{server.port}", KEY_ID, SECRET, script="signed")


@pytest.mark.parametrize("call", ["acs4", "workspace", "region", "url", "url_slash", "acs3"])
def test_signed_calls_are_answered(signed: dict[str, Any], call: str) -> None:
    """Both algorithms; a workspace that is escaped after signing; a whole URL as Host."""
    assert signed[call] == 2


def test_a_signed_query_is_read_as_it_was_signed(signed: dict[str, Any]) -> None:
    """Spaces, signs and letters of the query arrive escaped otherwise than they were signed."""
    assert signed["get"] == "list"


@pytest.mark.parametrize(
    ("call", "code", "status"),
    [
        ("secret", "SignatureDoesNotMatch", 400),
        ("acs3_secret", "SignatureDoesNotMatch", 400),
        ("stranger", "InvalidAccessKeyId.NotFound", 404),
        ("session", "InvalidSecurityToken.NotSupported", 400),
    ],
)
def test_refusals_are_understood(signed: dict[str, Any], call: str, code: str, status: int) -> None:
    """The client raises with the gateway's code and status."""
    answer = signed[call]
    assert answer["code"] == code
    assert str(status) in answer["text"]


def test_the_programs_of_the_guide_run(tmp_path: Path) -> None:
    """As they stand; only the address is another."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "access.md"
    programs = re.findall(r"^```python\n(.*?)^```", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    model = ("--model", "all-MiniLM-L6-v2=fake:384")
    with serving(tmp_path, *model, env={"EMBEDWAY_ACCESS_KEYS": "my-id:my-secret"}) as server:
        here = f"127.0.0.1:{server.port}"
        printed = [run_client("searchplat", "-c", one.replace("127.0.0.1:8000", here)) for one in programs]
    assert [text.split() for text in printed] == [["384"], ["0"]]
