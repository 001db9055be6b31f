"""`embedway embed`: what goes wrong is one sentence that says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .command import FAKE, embed, environment, launch, run

GOOD = b'{"text": "good"}\n'


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.txt", b"good\n\ngood\n", "Line 2 "),
        ("in.txt", b"good\ngood\ncaf\xe9\n", "Line 3 is not UTF-8"),
        ("in.jsonl", GOOD + b'{"text": \n', "Line 2 is not JSON"),
        ("in.jsonl", GOOD * 2 + b"\n", "Line 3 "),
        ("in.jsonl", GOOD + b'{"body": "a"}\n', "Line 2 has no text under 'text': choose the key with --field"),
        ("in.jsonl", GOOD + b'{"text": 7}\n', "Line 2 has no text under 'text'"),
        ("in.jsonl", GOOD + b"7\n", "Line 2 has no text"),
        ("in.jsonl", GOOD + b'{"text": ""}\n', "Line 2 "),
        ("in.jsonl", GOOD + b'{"text": "\\ud800"}\n', "Line 2 is not JSON"),
        ("in.jsonl", GOOD + b'{"text": "\xff"}\n', "Line 2 is not UTF-8"),
        ("in.jsonl", GOOD + b"[" * 100_000 + b"\n", "Line 2 is not JSON"),
    ],
)
def test_wrong_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """A line without a text is named by its number."""
    (tmp_path / name).write_bytes(content)
    assert said in embed("--input", tmp_path / name).sentence()


def test_wrong_line_far_down(tmp_path: Path) -> None:
    """The number counts from the beginning of the file; the chunks before the line are kept."""
    (tmp_path / "in.txt").write_text("good\n" * 1200 + "\n")
    ended = embed("--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl")
    assert "Line 1201 " in ended.sentence()
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) >= 1024


def test_too_long_a_text(tmp_path: Path) -> None:
    """With --truncation error a text above the model's limit is named by its number, with the limit; else it is cut."""
    (tmp_path / "in.txt").write_text("short\n" * 2 + "word " * 300 + "\n")
    said = run("embed", "--truncation", "error", "--input", tmp_path / "in.txt").sentence()
    assert "3" in said
    assert "256 tokens" in said
    assert len(run("embed", "--input", tmp_path / "in.txt").rows()) == 3


@pytest.mark.parametrize("suffix", [".npy", ".jsonl"])
def test_a_failure_leaves_nothing_that_looks_whole(tmp_path: Path, suffix: str) -> None:
    """After a failed run there is no file of zeros that could be taken for vectors."""
    (tmp_path / "in.txt").write_text("good\ngood\n\n")
    embed("--input", tmp_path / "in.txt", "--output", tmp_path / f"out{suffix}").sentence()
    left = tmp_path / f"out{suffix}"
    assert not left.exists() or left.stat().st_size == 0


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    """An output that is the input itself is refused, or written only once all of it has been read."""
    both = tmp_path / "both.jsonl"
    both.write_bytes(GOOD * 3)
    embed("--input", both, "--output", both)
    assert len(both.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--input"),
        (["a", "--input", "FILE"], "--input"),
        (["a", "--output", "vectors.csv"], ".jsonl or .npy"),
        (["a", "--output", "/no/such/folder/out.npy"], "/no/such/folder"),
        (["a", "--model", "second=fake:4"], "one model"),
        ([""], "Text 1 is empty"),
        (["good", ""], "Text 2 is empty"),
        (["good", "\udcff"], "Text 2 is not UTF-8"),
        (["!fail"], "failed"),
        (["!nan"], "not finite"),
        (["a", "--max-batch-tokens", "none"], "--max-batch-tokens"),
        (["a", "--config", "/no/such.toml"], "/no/such.toml"),
    ],
    ids=repr,
)
def test_wrong_call(tmp_path: Path, arguments: list[str], said: str) -> None:
    """What contradicts itself, or cannot be computed, is said in one sentence with status 2."""
    (tmp_path / "in.txt").write_text("a\n")
    assert said in embed(*(tmp_path / "in.txt" if one == "FILE" else one for one in arguments)).sentence()


@pytest.mark.parametrize("arguments", [["--role", "other", "a"], ["--input", "/no/file"], ["--dimensions", "0", "a"]])
def test_wrong_flag(arguments: list[str]) -> None:
    """A value that a flag does not take is refused with the flag's name, and how to get help."""
    ended = embed(*arguments)
    assert ended.status == 2
    assert f"'{arguments[0]}'" in ended.err
    assert "--help" in ended.err


def test_a_model_that_is_not_there() -> None:
    """A model that cannot be found is one sentence that names it."""
    assert "/no/such/model" in run("embed", "--model", "m=/no/such/model", "a").sentence(1)


def test_a_thread_that_dies() -> None:
    """A model whose thread dies is one sentence too."""
    assert "thread died" in launch("embed", *FAKE, "!die").sentence()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk() -> None:
    """Output that cannot be written is one sentence."""
    with Path("/dev/full").open("wb") as full:
        assert "No space left" in launch("embed", *FAKE, "a", stdout=full).sentence()


def test_a_reader_who_leaves(tmp_path: Path) -> None:
    """When the reader of a pipe leaves, as `head` does, the command ends without a stack."""
    (tmp_path / "in.txt").write_text("a good text\n" * 20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "embedway", "embed", *FAKE, "--input", str(tmp_path / "in.txt")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout
        assert process.stderr
        assert b'"index":0' in process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.wait(30)
    assert process.returncode > 0
    assert b"Traceback" not in said
