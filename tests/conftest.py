"""What holds for every test."""

import os
import tempfile

from hypothesis import settings

from .postgres import database_url, postgres

__all__ = ["database_url", "postgres"]

_data = tempfile.TemporaryDirectory(prefix="embedway-data-")
os.environ["XDG_DATA_HOME"] = _data.name  # the user's own keys and models are no part of any test
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
"""The same examples in every run, so that a change is judged by what it changed; `explore` looks for new ones."""
