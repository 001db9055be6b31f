"""Run by Alembic for each command. The connection is `embedway.store.migration`'s, and so is its transaction."""

from __future__ import annotations

from alembic import context

from embedway.store.schema import REVISION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
    transactional_ddl=True,  # of SQLite too: the transaction was begun by hand
)
context.run_migrations()
