"""How much a caller may ask: what a request takes of its quotas, and what its reply says of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from embedway.access.quota import Bound, Rules, default_quotas, estimate_tokens
from embedway.access.shared import make_counts
from embedway.access.window import Counts, State, Unit, Verdict, Window
from embedway.engine.engine import Engine
from embedway.errors import EmbedwayError, QuotaExceeded, RateExceeded
from embedway.http.dialects.ranking import choose_model
from embedway.http.exchange import Exchange
from embedway.observe import Metrics
from embedway.settings import Deployment, Settings
from embedway.types import Caller, Task

CONCURRENT_WAIT_MS = 1000
"""When to come back where requests at the same time are limited: nobody knows when one of them ends."""
_PERIODS = {1000: "second", 60_000: "minute"}
FindDeployment = Callable[[str], tuple[Deployment, bool]]
"""A deployment by its id, and whether it runs; raises `EmbedwayError` where there is none."""


class Asked(Protocol):
    """What quotas want to know of an operation."""

    @property
    def task(self) -> Task: ...

    @property
    def counted(self) -> bool: ...

    @property
    def action(self) -> str | None: ...


@dataclass(slots=True)
class Allowance:
    """What one request holds of its quotas; `seen` is the last known state of each window."""

    bounds: list[Bound]
    running: list[str] = field(default_factory=list)
    taken: list[tuple[Counts, State, int]] = field(default_factory=list)
    seen: dict[str, State] = field(default_factory=dict)
    refused: bool = False

    def note(self, states: Sequence[State]) -> None:
        self.seen |= {state.window.name: state for state in states}


class Quotas:
    """The quotas of one server. A request enters by its head, reserves tokens by its body, and leaves with its answer;
    `Exchange.allowance` stays None for one that no quota holds for.
    """

    def __init__(
        self, rules: Rules, find_deployment: FindDeployment, engine: Engine, metrics: Metrics, counts: Counts
    ) -> None:
        self._rules = rules
        self._find_deployment = find_deployment
        self._engine = engine
        self._refusals = metrics.quota_refusals
        self._counts = counts
        self._running: Counter[str] = Counter()

    async def enter(self, exchange: Exchange, operation: Asked) -> None:
        """Count the request by all that its head tells. Raises `RateExceeded`."""
        caller, asked = exchange.caller, _path_name(exchange)
        deployment = self._deployment(exchange)
        if deployment is not None:
            caller = dataclasses.replace(caller, namespace=deployment.workspace)
        bounds = self._rules.general(caller)
        if asked:
            bounds += self._of_service(caller, asked, deployment.model if deployment else asked, operation)
        if bounds:
            await self._admit(exchange, bounds, [])

    async def reserve(self, exchange: Exchange, operation: Asked, body: msgspec.Struct, raw: bytes) -> None:
        """Count the request by the model that its body names, and reserve tokens. Raises `RateExceeded`,
        `QuotaExceeded`.
        """
        if operation.action is not None:
            return
        asked = getattr(body, "model", None)
        named = [] if _path_name(exchange) else self._of_service(exchange.caller, asked, asked, operation)
        held = exchange.allowance.bounds if exchange.allowance else []
        windows = [window for one in (*held, *named) if (window := one.tokens)] if operation.counted else []
        if named or windows:
            tokens = estimate_tokens(raw) if windows else 0
            self._check_size(exchange, windows, tokens, len(raw))
            await self._admit(exchange, named, [(window, tokens) for window in windows])

    async def leave(self, exchange: Exchange, left: bool) -> Mapping[str, str]:
        """Settle what was reserved, and give the headers of the reply. Of a caller who has `left`, and for work that
        `comes_later`, the reservation stays. A request that a quota refused gives back all.
        """
        allowance = exchange.allowance
        if allowance is None:
            return {}
        for name in allowance.running:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]
        if not left and not exchange.comes_later:
            await self._settle(allowance, sum(tokens for _, tokens in exchange.used))
        return limit_headers(list(allowance.seen.values()))

    async def stop(self) -> None:
        await self._counts.stop()

    def _deployment(self, exchange: Exchange) -> Deployment | None:
        """The one that the path names, if the caller may enter its workspace; else the operation will refuse."""
        name = _deployment_id(exchange)
        if name is None:
            return None
        try:
            found, _ = self._find_deployment(name)
        except EmbedwayError:
            return None
        return found if exchange.reaches(found.workspace) else None

    def _of_service(self, caller: Caller, asked: str | None, called: str | None, operation: Asked) -> list[Bound]:
        """`called` is what a deployment that is asked for calls, else what is asked for."""
        model = None
        if self._rules.ask_for_models:
            try:
                name = choose_model(self._engine, called, operation.task)
                model = self._engine.find(name, caller).spec.name
            except EmbedwayError:
                pass  # there is none: the operation will say so
        return self._rules.of_service(caller, asked, model)

    async def _admit(self, exchange: Exchange, bounds: list[Bound], asked: list[tuple[Window, int]]) -> None:
        """Take what the bounds and windows ask for, all of it or nothing."""
        if exchange.allowance is None:
            exchange.allowance = Allowance([])
        allowance = exchange.allowance
        allowance.bounds += bounds
        self._start(allowance, bounds)
        asked = [*((window, 1) for one in bounds if (window := one.requests)), *asked]
        if not asked:
            return
        verdict = await self._counts.take(asked)
        allowance.note(verdict.states)
        if verdict.wait_ms:
            self._refuse(allowance, verdict, asked)
        pairs = zip(verdict.states, asked, strict=True)
        allowance.taken += [(verdict.by, state, amount) for state, (_, amount) in pairs]

    def _start(self, allowance: Allowance, bounds: Sequence[Bound]) -> None:
        """Count the request among those that are being answered. Raises `RateExceeded`."""
        for one in bounds:
            limit = one.quota.concurrent
            if limit is None:
                continue
            if self._running[one.name] >= limit:
                allowance.refused = True
                self._refusals.labels("concurrent").inc()
                words = f"{limit} request{'s' if limit > 1 else ''} at the same time for {one.scope}"
                raise RateExceeded(f"The quota is {words}: wait for an answer, then try again.", CONCURRENT_WAIT_MS)
            self._running[one.name] += 1
            allowance.running.append(one.name)

    def _refuse(self, allowance: Allowance, verdict: Verdict, asked: Sequence[tuple[Window, int]]) -> None:
        allowance.refused = True
        amounts = {window.name: amount for window, amount in asked}
        full = min(verdict.states, key=lambda state: state.left - amounts[state.window.name])
        self._refusals.labels(full.window.unit).inc()
        raise RateExceeded(
            f"The quota of {_words(full.window)} is used up: {full.left} left, and this request counts "
            f"{amounts[full.window.name]}. Try again in {verdict.wait_ms / 1000:g} s.",
            verdict.wait_ms,
            full.window.unit,
        )

    def _check_size(self, exchange: Exchange, windows: Sequence[Window], tokens: int, size: int) -> None:
        """Refuse what no waiting could make room for."""
        least = min(windows, key=lambda window: window.limit, default=None)
        if least is None or tokens <= least.limit:
            return
        if exchange.allowance is not None:
            exchange.allowance.refused = True
        self._refusals.labels("size").inc()
        raise QuotaExceeded(
            f"A body of {size} bytes counts as {tokens} tokens, and the quota is {_words(least)}: send less at once."
        )

    async def _settle(self, allowance: Allowance, tokens: int) -> None:
        corrections: dict[Counts, list[tuple[State, int]]] = {}
        for counts, state, amount in allowance.taken:
            change = -amount if allowance.refused else tokens - amount if state.window.unit == "tokens" else 0
            if change:
                corrections.setdefault(counts, []).append((state, change))
        for counts, listed in corrections.items():
            allowance.note(await counts.change(listed))


def make_quotas(settings: Settings, engine: Engine, metrics: Metrics, find_deployment: FindDeployment) -> Quotas | None:
    """None where nothing is limited. Raises `SettingsError`."""
    rules = Rules(settings.quota, () if settings.no_default_quotas else default_quotas())
    if not rules:
        return None
    counts = make_counts(settings.quota_url, metrics.quota_local.set)
    return Quotas(rules, find_deployment, engine, metrics, counts)


def limit_headers(states: Sequence[State]) -> dict[str, str]:
    """The headers that OpenAI has for limits: of each kind the window with the least left."""
    headers: dict[str, str] = {}
    units: tuple[Unit, ...] = ("requests", "tokens")
    for unit in units:
        tightest = min(
            (state for state in states if state.window.unit == unit),
            key=lambda state: (state.left, state.window.limit),
            default=None,
        )
        if tightest is not None:
            headers |= {
                f"x-ratelimit-limit-{unit}": str(tightest.window.limit),
                f"x-ratelimit-remaining-{unit}": str(tightest.left),
                f"x-ratelimit-reset-{unit}": _duration(tightest.reset_ms),
            }
    return headers


def _duration(ms: int) -> str:
    """As OpenAI writes them: 20ms, 1.5s, 1m0.6s."""
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest_ms = divmod(ms, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest_ms / 1000:g}s"


def _words(window: Window) -> str:
    unit = window.unit if window.limit > 1 else window.unit.removesuffix("s")
    return f"{window.limit} {unit} a {_PERIODS[window.period_ms]} for {window.scope}"


def _path_name(exchange: Exchange) -> str | None:
    """The service id or deployment that the path names, if any."""
    name: str | None = exchange.request.path_params.get("service_id")
    return name.removesuffix("/") if name else _deployment_id(exchange)


def _deployment_id(exchange: Exchange) -> str | None:
    name: str | None = exchange.request.path_params.get("deployment_id")
    return name
