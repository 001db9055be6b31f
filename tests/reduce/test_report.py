"""The page about a reduction: whole, readable without a network, and true to the card."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from embedway.errors import ModelFilesError, SettingsError
from embedway.models.reduction import Base
from embedway.reduce.plot import Line, plot
from embedway.reduce.report import render, write_report

from .artefacts import card, make

SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
EMPTY = {"meta"}


class Tags(HTMLParser):
    """Checks that what is opened is closed, and remembers attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nobody() -> None:
    """Every element is closed; no script, and no address of anything that would be fetched."""
    page = render(card(384, 128))
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not {name for name, _ in tags.attributes} & {"src", "href", "srcset"}
    assert not re.search(r"<script|url\(|@import|https?:", page)
    assert "prefers-color-scheme: dark" in page


def test_the_plots_show_the_figures_of_the_card() -> None:
    """Each is well-formed SVG with a name; each point's tip has its length and share."""
    shown = card(384, 128)
    plots = [ET.fromstring(one) for one in SVG.findall(render(shown))]
    assert [one.attrib["role"] for one in plots] == ["img", "img"]
    tips = {"".join(tip.itertext()) for tip in plots[0].iter("title")}
    for one in shown.quality:
        assert f"this reduction, {one.dimensions}: {one.recall:.1%}" in tips
        assert f"PCA, {one.dimensions}: {one.pca:.1%}" in tips
        assert f"plain cutting, {one.dimensions}: {one.cut:.1%}" in tips


def test_the_table_has_the_storage() -> None:
    """A million vectors of 128 float32 numbers are 488 MiB, two thirds less than of 384."""
    page = render(card(384, 128))
    assert "<td>488 MiB</td><td>67%</td>" in page
    assert "<td>1,465 MiB</td><td>0%</td>" in page


def test_names_are_text_and_never_markup() -> None:
    """Whatever the card says."""
    odd = msgspec.structs.replace(card(16, 4, Base("<b>&m", "r")), name="<script>x</script>")
    assert "<script>" not in render(odd)
    assert "&lt;b&gt;&amp;m" in render(odd)


def test_names_of_lines_do_not_overlap() -> None:
    """Three lines that end at one point have their names below each other."""
    lines = [Line(str(number), "ours", [(8, number / 10), (16, 1.0)]) for number in range(3)]
    heights = [float(one) for one in re.findall(r'<text class="ours" x="[\d.]+" y="([\d.]+)"', plot("p", lines, "x"))]
    assert len(heights) == 3
    assert all(later - earlier >= 16 for earlier, later in pairwise(heights))


def test_a_report_is_written_beside_nothing_else(tmp_path: Path) -> None:
    """Of an artefact that is there, to a place that can be written."""
    folder = make(tmp_path / "made", 16, 4)
    write_report(folder, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render(card(16, 4))
    with pytest.raises(ModelFilesError, match="holds no trained reduction"):
        write_report(tmp_path, tmp_path / "page.html")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_report(folder, tmp_path / "none" / "page.html")
