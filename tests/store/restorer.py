"""A process that restores and stands still in the middle: `python -m tests.store.restorer URL FILE`.

Once it has deleted what was there and filled half of the tables it says `half`, and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from embedway.store.database import Database
from embedway.store.restore import restore_backup


def wait(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    if statement.startswith("INSERT INTO model"):
        print("half", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", wait)
    restore_backup(Database(sys.argv[1]), Path(sys.argv[2]), "restorer", replace=True)
