"""Every metric and the log format, in one place.

Metrics are Prometheus's, in base units (seconds, tokens, items), one registry for each server object.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from embedway.types import ModelStatus

Phase = Literal["prepare", "queue", "run"]
METRICS_TYPE = CONTENT_TYPE_LATEST

_SECRET = re.compile(r"(?<=/credentials/)[^/?\s]+|OS-[A-Za-z0-9]{8,}")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LOADS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class Metrics:
    """What the server counts. Labels hold names of the configuration only, never a caller's text or key."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.requests = counter("embedway_requests", "Requests answered.", ["operation", "status"])
        self.request_seconds = histogram(
            "embedway_request_seconds",
            "From the request's head to its finished answer.",
            ["operation"],
            buckets=_SECONDS,
        )
        self.phase_seconds = histogram(
            "embedway_phase_seconds", "Time of a call in prepare, queue and run.", ["model", "phase"], buckets=_SECONDS
        )
        self.queue_items = gauge("embedway_queue_items", "Items that wait for a batch.", ["model"])
        self.queue_tokens = gauge("embedway_queue_tokens", "Tokens accepted and not yet answered.", ["model"])
        self.batch_items = histogram("embedway_batch_items", "Items in a batch.", ["model"], buckets=_ITEMS)
        self.batch_tokens = histogram("embedway_batch_tokens", "Tokens in a batch.", ["model"], buckets=_TOKENS)
        self.tokens = counter("embedway_tokens", "Tokens consumed by answered calls.", ["model"])
        self.texts = counter("embedway_texts", "Texts in answered calls.", ["model"])
        self.truncated = counter("embedway_truncated_texts", "Texts cut at the model's limit.", ["model"])
        self.rejections = counter("embedway_rejections", "Calls refused or given up.", ["model", "reason"])
        self.failures = counter("embedway_failed_items", "Items whose pass failed.", ["model"])
        self.ready = gauge(
            "embedway_model_ready", "1 when the model's worker is alive and warm.", ["model", "backend", "dtype"]
        )
        self.models_loaded = gauge("embedway_models_loaded", "Models in memory; idle and failed ones are not.")
        self.load_seconds = histogram(
            "embedway_load_seconds", "From opening a model to its first answer.", ["model"], buckets=_LOADS
        )
        self.unloads = counter("embedway_unloads", "Copies of models that were unloaded.", ["model", "cause"])
        self.memory_reserved = gauge("embedway_memory_reserved_bytes", "Memory reserved for models, by estimate.")
        self.jobs = counter("embedway_jobs", "Runs of background jobs, by how they went.", ["kind", "outcome"])
        self.unshared_nonces = counter(
            "embedway_unshared_nonces", "Signed calls believed while the store could not say if their nonce was used."
        )
        self.store_up = gauge("embedway_store_up", "1 while the database answers; 0 also while none was needed yet.")
        self.quota_refusals = counter("embedway_quota_refusals", "Requests refused by a quota.", ["limit"])
        self.quota_local = gauge(
            "embedway_quota_local", "1 while quotas are counted in this process although Redis is configured."
        )
        self.restarts = counter("embedway_worker_restarts", "Model threads started again after they died.", ["device"])

    def render(self, models: Sequence[ModelStatus]) -> bytes:
        """The text exposition format, type `METRICS_TYPE`; what describes a state is read off `models` now."""
        for gauge in (self.queue_items, self.queue_tokens, self.ready):
            gauge.clear()  # of a model that has gone, or changed its precision, nothing stays
        self.models_loaded.set(sum(status.state == "ready" for status in models))
        for status in models:
            self.queue_items.labels(status.spec.label).set(status.queued_items)
            self.queue_tokens.labels(status.spec.label).set(status.queued_tokens)
            backend, dtype = (status.facts.backend, status.facts.dtype) if status.facts else ("none", "none")
            self.ready.labels(status.spec.label, backend, dtype).set(status.ready)
        return generate_latest(self.registry)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and the stack where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Redaction(logging.Filter):
    """Keeps API keys out of uvicorn's lines about requests: one API has them in its paths."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_SECRET.sub("***", one) if isinstance(one, str) else one for one in record.args)
        return True


def set_up_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Log to standard error; called once, by the command."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    logging.getLogger("uvicorn.access").addFilter(Redaction())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for client in ("httpx", "httpx2"):  # the hub's library names every request at INFO
        logging.getLogger(client).setLevel(logging.WARNING)
