"""What real clients do when a quota refuses them: come back when it helps, and stop when it does not."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Server, serving

from .conftest import report, run_client
from .test_guides import ADDRESS, GUIDES, commands, programs

CONFIG = """
api_key = ["OS-one", "OS-two"]

[[model]]
name = "m"
source = "fake"

[[quota]]
key = "*"
requests_per_s = 1
tokens_per_minute = 1000
"""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that allows each key one request a second, and no body of more than 4,000 bytes."""
    with serving(tmp_path_factory.mktemp("patient"), config=CONFIG) as server:
        yield server


def test_openai_comes_back_in_time(patient: Server) -> None:
    """It waits as long as it is told, and its second try is served; what can never pass it does not try again."""
    found: dict[str, Any] = report("openai", patient.url, "OS-one", script="openai_quota")
    assert found["first"] == 8
    for name in ("second", "third"):
        assert found[name] == 8, found[name]
        assert found[f"{name}_tries"] in (["0"], ["0", "1"])
    assert found["second_tries"] == ["0", "1"] or found["third_tries"] == ["0", "1"]
    assert found["third_s"] < 3
    assert found["huge"]["raised"] == "RateLimitError"
    assert found["huge"]["code"] == "insufficient_quota"
    assert found["huge_tries"] in (["0"], ["0", "1"])  # never a third: a rate may come before
    assert found["headers"]["x-ratelimit-limit-requests"] == "1"
    assert found["headers"]["x-ratelimit-limit-tokens"] == "1000"


def test_the_loop_of_llamaindex_ends(patient: Server) -> None:
    """It comes back for as long as the code is Throttling.RateQuota: it is served in the end, and what can never pass
    is raised at once, with another code.
    """
    found = report("aisearch", patient.url.removeprefix("http://"), "OS-two")
    assert [found[f"text_{number}"] for number in range(3)] == [8, 8, 8]
    assert found["three_s"] >= 1
    assert found["huge"]["code"] == "Throttling.AllocationQuota"
    assert found["huge_s"] < 5
    assert len(found["async"]) == 8


def test_the_guide(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its configuration starts a server; its command shows the headers that the page shows; its program runs."""
    text = (GUIDES / "quotas.md").read_text(encoding="utf-8")
    tables, shown = re.findall(r"^```(?:toml|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    with serving(tmp_path_factory.mktemp("guide"), "--dtype", "fp32", config=tables) as server:
        (command,) = commands("quotas.md")
        words = shlex.split(command.replace(ADDRESS, server.url).replace("\\\n", " "))
        answer = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
        for line in shown.splitlines():
            name, value = line.split(": ")
            (found,) = re.findall(rf"^{name}: (\S+)", answer, re.MULTILINE)
            assert found == value or ("reset" in name and re.fullmatch(r"(1m)?[0-9.]+s", found)), (name, found)
        (program,) = programs("quotas.md")
        left, dimensions = run_client("openai", "-c", program.replace(ADDRESS, server.url)).split()
        assert 0 < int(left) < 19_991
        assert dimensions == "384"
