"""The tables of the newest revision. Times are seconds since 1970; columns of JSON hold text that is JSON.

A change here needs a revision in `migrations/versions`, and `REVISION` with it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text

REVISION = "0003"
"""The newest revision: a database that has it is opened without Alembic, whose import takes longer than all else."""
REVISION_TABLE = "embedway_revision"

metadata = MetaData()

instance = Table(
    "instance",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_s", Double, nullable=False),
)

model = Table(
    "model",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("dimension", Integer),
    Column("latency_ms", Double),
    Column("content", Text, nullable=False),  # JSON
    Column("secrets", Text, nullable=False, server_default=""),  # JSON pointer -> value, sealed as a whole by the vault
    Column("created_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
    Column("probed_s", Double),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at_s", Double, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    sqlite_autoincrement=True,  # an id is never given twice, not even after the newest event is gone
)

access_key = Table(
    "access_key",
    metadata,
    Column("id", String, primary_key=True),
    Column("secret", Text, nullable=False),  # sealed by the vault
    Column("permissions", Text, nullable=False),  # JSON
    Column("note", Text, nullable=False, server_default=""),
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double),
    Column("disabled", Boolean, nullable=False),
    Column("last_used_s", Double),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String, primary_key=True),
    Column("prefix", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),  # SHA-256 in hex
    Column("masked", String, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("scope", Text, nullable=False),  # JSON
    Column("note", Text, nullable=False, server_default=""),
    Column("enabled", Boolean, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double),
    Column("revoked_s", Double),
    Column("last_used_s", Double),
    Index("ix_api_key_prefix", "prefix"),
)

workspace = Table(
    "workspace",
    metadata,
    Column("name", String, primary_key=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False),  # JSON
    Column("created_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", String, primary_key=True),
    Column("workspace", String, nullable=False),
    Column("model", String, nullable=False),
    Column("task", String, nullable=False),
    Column("token_sha256", String, nullable=False),
    Column("token", Text, nullable=False, server_default=""),  # sealed by the vault until it was shown once
    Column("description", Text, nullable=False, server_default=""),
    Column("running", Boolean, nullable=False),
    Column("edition", Integer, nullable=False),  # counts the changes
    Column("created_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
    Index("ix_deployment_workspace", "workspace"),
)

training = Table(
    "training",
    metadata,
    Column("workspace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("parameters", Text, nullable=False),  # JSON
    Column("data", Text, nullable=False, server_default=""),  # what came with the parameters: JSON lines
    Column("description", Text, nullable=False, server_default=""),
    Column("job_id", String),  # of the last run
    Column("trained", String),  # the id of the last run that succeeded, which names its artefact's folder
    Column("edition", Integer, nullable=False),  # counts the runs that succeeded
    Column("created_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
)

nonce = Table(
    "nonce",
    metadata,
    Column("value", String, primary_key=True),
    Column("expires_s", Double, nullable=False),
    Index("ix_nonce_expires_s", "expires_s"),
)

job = Table(
    "job",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("status", String, nullable=False),  # of jobs.job.Status
    Column("payload", Text, nullable=False),  # JSON
    Column("result", Text),  # JSON
    Column("error", Text),
    Column("progress", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("run_after_s", Double, nullable=False),
    Column("claimed_by", String),
    Column("heartbeat_s", Double),
    Column("created_s", Double, nullable=False),
    Column("updated_s", Double, nullable=False),
    Index("ix_job_status_run_after_s", "status", "run_after_s"),
)

job_log = Table(
    "job_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("line", Text, nullable=False),
    Index("ix_job_log_job_id", "job_id", "id"),
    sqlite_autoincrement=True,  # lines are told apart, and kept in order, by their ids
)

usage = Table(
    "usage",
    metadata,
    Column("day", String, primary_key=True),  # YYYY-MM-DD, UTC
    Column("key", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("model", String, primary_key=True),  # empty for requests that reached none
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
