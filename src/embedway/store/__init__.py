"""The store: one database for what must last, with its transactions, revisions, secrets, audit and backups."""
