"""The documents' curl commands, run as they stand: only the host is another."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from typing import Any

from tests.server import Server

from .exchange import send
from .golden import FOLDER

TIMEOUT_S = 60
_HOST = re.compile(r"http://[^/\s\"']+")


def document(name: str, server: Server) -> str:
    """Return an example of a document, with the server's address in place of the document's."""
    return _HOST.sub(server.url, (FOLDER / "commands" / name).read_text(encoding="utf-8"))


def run(name: str, server: Server) -> Any:
    """Run a curl command and return the JSON it prints; where curl is missing, send what the command says."""
    return run_words(shlex.split(document(name, server).replace("\\\n", " ")), server)


def run_words(words: list[str], server: Server) -> Any:
    """The same for the words of a command line."""
    if shutil.which("curl"):
        told = [*words, "--silent", "--show-error", "--noproxy", "*", "--max-time", str(TIMEOUT_S)]
        ended = subprocess.run(told, capture_output=True, check=True, timeout=2 * TIMEOUT_S)
        return json.loads(ended.stdout)
    return send_as_curl(words, server)


def send_as_curl(words: list[str], server: Server) -> Any:
    """Send what a curl command line says, as far as the documents use its options."""
    headers: dict[str, str] = {}
    url, body, method = "", b"", "POST"
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = re.sub(r"[\r\n]", "", next(rest)).encode()
        elif word == "-X":
            method = next(rest)
        else:
            url = word
    return send(server, method, url.removeprefix(server.url), body, headers=headers).json()
