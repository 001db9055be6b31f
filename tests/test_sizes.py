"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.errors import SettingsError
from embedway.settings import load_settings
from embedway.sizes import parse_bytes, show_bytes


@pytest.mark.parametrize(
    ("text", "amount"),
    [("8GiB", 8 * 2**30), ("512 mib", 512 * 2**20), ("1.5GB", 1_500_000_000), ("1024", 1024), ("2 KiB", 2048)],
)
def test_units(text: str, amount: int) -> None:
    """Powers of two with an i, powers of ten without; letters of either case."""
    assert parse_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "8 giraffes", "1e9", "0", "0.1 B", "١GiB"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Also as a setting, in one sentence."""
    with pytest.raises(ValueError, match="memory"):
        parse_bytes(text)
    if text:
        with pytest.raises(SettingsError, match="8GiB"):
            load_settings({"memory_budget": text})


@given(st.integers(2**20, 2**50))
def test_what_is_shown_can_be_read(amount: int) -> None:
    """It is rounded to a tenth of a GiB, or to a MiB."""
    assert parse_bytes(show_bytes(amount)) == pytest.approx(amount, rel=0.05, abs=2**19)
