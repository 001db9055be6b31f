"""Who runs the command, for the audit."""

from __future__ import annotations

import getpass


def who() -> str:
    """The system's user."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user may have no name
        return "cli"
