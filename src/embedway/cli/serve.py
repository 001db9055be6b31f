"""`embedway serve`: the engine and the application under uvicorn, in this process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from embedway.cli.heartbeat import beat
from embedway.cli.renewal import Renewal, specs_of
from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import SettingsError, SetupError
from embedway.http.app import build_app
from embedway.http.protocol import BoundedHttpProtocol
from embedway.observe import Metrics
from embedway.settings import Settings

log = logging.getLogger(__name__)

HUNG = 70
"""Exit status when a pass of a model hangs (sysexits.h, EX_SOFTWARE)."""
_LAST_WORDS_S = 1.0


def run_server(settings: Settings, read: Callable[[], Settings] | None = None) -> int:
    """Serve until told to stop; returns the exit status. `read` reads the settings and their file anew, at SIGHUP."""
    if settings.keyless and not settings.loopback:
        log.warning(
            "No API key is configured: everyone who can reach %s may use this server."
            if settings.no_auth
            else "No API key is configured: those of the database are asked for on %s.",
            settings.host,
        )
    metrics = Metrics()
    engine = build_engine(settings, metrics, _exit_soon)
    failures: list[SetupError] = []
    server = uvicorn.Server(_config(settings))

    def on_failure(error: SetupError) -> None:
        failures.append(error)
        server.should_exit = True

    server.config.app = build_app(settings, engine, metrics, on_failure)
    _check_files(settings)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(server, Renewal(settings, read, engine)))
    if failures:
        log.critical("%s", failures[0].message)
    return 1 if failures or not server.started else 0


def build_engine(settings: Settings, metrics: Metrics, on_hang: Callable[[], None] = lambda: None) -> LocalEngine:
    """The engine that the settings describe."""
    limits = EngineLimits(
        batch=Budget(settings.max_batch_tokens, settings.max_batch_items),
        queue_tokens=settings.max_queue_tokens,
        hang_s=settings.hang_timeout_s,
        drain_s=settings.drain_timeout_s,
        threads=settings.threads or None,
        memory_bytes=settings.memory_bytes,
    )
    return LocalEngine(specs_of(settings), limits, metrics, on_hang)


async def _serve(server: uvicorn.Server, renewal: Renewal) -> None:
    beating = asyncio.create_task(beat(), name="heartbeat")
    renewing = asyncio.create_task(renewal.watch(), name="renew")
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them anew when it is done: being told is no failure
        signal.signal(number, lambda number, frame: None)
    try:
        await server.serve()
    except SystemExit:  # uvicorn's way to say that it could not listen; it has logged why
        server.started = False
    finally:
        beating.cancel()
        renewing.cancel()


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app="",
        host=settings.host,
        port=settings.port,
        uds=settings.uds,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        loop="uvloop" if os.name != "nt" else "asyncio",
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, int(settings.drain_timeout_s)),
    )


def _check_files(settings: Settings) -> None:
    """Raises `SettingsError` for a file that listening needs and that cannot be used."""
    if settings.tls_cert and settings.tls_key:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_cert, settings.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"--tls-cert and --tls-key cannot be loaded: {error.strerror or error}.") from error
    if settings.uds and not Path(settings.uds).absolute().parent.is_dir():
        raise SettingsError(f"--uds {settings.uds} lies in a folder that does not exist.")


def _exit_soon() -> None:
    """End the process although a thread hangs in native code; the answers that failed get a moment to leave."""
    timer = threading.Timer(_LAST_WORDS_S, os._exit, (HUNG,))
    timer.daemon = True
    timer.start()
