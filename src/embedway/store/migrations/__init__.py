"""Alembic's folder: `env.py` joins it to a connection, `versions` has a file for each revision."""
