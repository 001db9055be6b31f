"""SIGHUP: the configuration's models are read anew, and the server's made to be those."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence

import msgspec

from embedway.engine.engine import Engine
from embedway.errors import EmbedwayError, SettingsError
from embedway.models.standins import with_stand_ins
from embedway.settings import BUNDLED, Settings
from embedway.types import ModelSpec

log = logging.getLogger(__name__)


class Renewal:
    """Reads with `read` and reconciles `engine`, once for each signal. Other settings stay as they were at the start.

    Without a file there is nothing to read anew, `read` is None, and the signal ends the process as ever.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings] | None, engine: Engine) -> None:
        self._settings = settings
        self._read = read
        self._engine = engine
        self._asked = asyncio.Event()

    async def watch(self) -> None:
        """Wait for SIGHUP, for ever; signals that come while models are being changed are one."""
        if self._read is None or not hasattr(signal, "SIGHUP"):  # Windows has none
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._renew(self._read)

    async def _renew(self, read: Callable[[], Settings]) -> None:
        """Do it once. A configuration that is at fault changes nothing, and the log says why."""
        try:
            fresh = await asyncio.to_thread(read)
            self._check(fresh)
            drain = self._settings.swap_without_room == "drain"
            changes = await self._engine.reconcile(specs_of(fresh), drain=drain)
        except EmbedwayError as error:
            log.error("The configuration was read anew and nothing was changed: %s", error.message)  # noqa: TRY400
            return
        except Exception:
            log.exception("The configuration was read anew, and the models could not be changed.")
            return
        log.info("The configuration was read anew: %s.", changes)
        if fixed := sorted(_differing(self._settings, fresh)):
            log.warning("What is set for %s takes effect at the next start only.", ", ".join(fixed))

    def _check(self, fresh: Settings) -> None:
        """Raise `SettingsError` where a model would go that a deployment of this server needs."""
        names = {name for spec in specs_of(fresh) for name in (spec.name, *spec.aliases)}
        for deployment in self._settings.deployment:
            if deployment.model not in names:
                raise SettingsError(
                    f"The deployment '{deployment.id}' needs the model '{deployment.model}': restart to remove both."
                )


def specs_of(settings: Settings) -> Sequence[ModelSpec]:
    """The models to serve, stand-ins included."""
    return with_stand_ins(settings.model, BUNDLED) if settings.stand_in else settings.model


def _differing(old: Settings, new: Settings) -> set[str]:
    """What a restart is needed for; the rest has reached the models."""
    filled = {"model", "dtype", "backend", "device", "truncation", "keep_alive_s", "stand_in"}
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return {name for name in before if name not in filled and before[name] != after[name]}
