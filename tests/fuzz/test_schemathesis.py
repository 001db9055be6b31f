"""Schemathesis reads `/openapi.json` off the running server and tries what it describes, and what it does not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.robustness.running import running
from tests.wire.exchange import KEY, get

from .conftest import CONFIG

SETTINGS = Path(__file__).with_name("schemathesis.toml")
RUN = "from schemathesis.cli import schemathesis; schemathesis()"
TESTED = re.compile(r"Tested: (\d+)")


def test_what_is_described_is_served(tmp_path: Path) -> None:
    """With a key: replies have the described status, type, headers and shape, what breaks the schema is refused, every
    other method is 405, nothing answers without the key, nothing is a 5xx."""
    with running(tmp_path, "--admin-key", KEY, config=CONFIG) as server:
        ended = subprocess.run(
            [
                *(sys.executable, "-c", RUN, f"--config-file={SETTINGS}", "run", f"{server.url}/openapi.json"),
                *("--header", f"Authorization: Bearer {KEY}", "--no-color", "--continue-on-failure"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=90,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
        operations = [method for row in get(server, "/openapi.json").json()["paths"].values() for method in row]
        assert TESTED.findall(ended.stdout) == [str(len(operations))], ended.stdout[-8000:]
        assert server.ready()
        assert "Traceback" not in server.output()
