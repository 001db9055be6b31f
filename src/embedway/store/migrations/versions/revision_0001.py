"""The first tables: instances, models, events, keys, nonces, workspaces, deployments, jobs, usage, versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables as `schema.py` had them at this revision."""
    _registry()
    _access()
    _tenants()
    _jobs()
    _usage()


def downgrade() -> None:
    """Drop them."""
    for table in ("version", "usage", "job", "nonce", "deployment", "workspace", "api_key", "access_key"):
        op.drop_table(table)
    for table in ("event", "model", "instance"):
        op.drop_table(table)


def _registry() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_table(
        "model",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("dimension", sa.Integer),
        sa.Column("latency_ms", sa.Double),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False, server_default=""),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
        sa.Column("probed_s", sa.Double),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "version",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def _access() -> None:
    op.create_table(
        "access_key",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("expires_s", sa.Double),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("last_used_s", sa.Double),
    )
    op.create_table(
        "nonce",
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("expires_s", sa.Double, nullable=False),
    )
    op.create_index("ix_nonce_expires_s", "nonce", ["expires_s"])


def _usage() -> None:
    op.create_table(
        "usage",
        sa.Column("day", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )


def _tenants() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("prefix", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False, unique=True),
        sa.Column("masked", sa.String, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("expires_s", sa.Double),
        sa.Column("revoked_s", sa.Double),
        sa.Column("last_used_s", sa.Double),
    )
    op.create_index("ix_api_key_prefix", "api_key", ["prefix"])
    op.create_table(
        "workspace",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("token_sha256", sa.String, nullable=False),
        sa.Column("token", sa.Text, nullable=False, server_default=""),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("running", sa.Boolean, nullable=False),
        sa.Column("edition", sa.Integer, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
    )
    op.create_index("ix_deployment_workspace", "deployment", ["workspace"])


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("run_after_s", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.String),
        sa.Column("heartbeat_s", sa.Double),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("updated_s", sa.Double, nullable=False),
    )
    op.create_index("ix_job_status_run_after_s", "job", ["status", "run_after_s"])
