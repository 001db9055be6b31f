"""The markdown tables, made from a result file: medians over the rounds, shares of the ceiling, comparisons."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.loads import LOADS, Load

EQUAL_ACCURACY = 0.999
"""Least cosine to the reference at which a rival counts as equally accurate."""
BUSY_PERCENT = 10
"""Share of the processors in other hands above which a run is marked as disturbed."""
OURS = "embedway"
BACKEND = "embedway-backend"

Cell = dict[str, float]


def render(results: Mapping[str, Any]) -> str:
    """The whole report."""
    table = medians(results["samples"])
    loads = [load for load in LOADS if any(load in cells for cells in table.values())]
    parts = [heading(results), ceiling_table(results), rival_table(results)]
    for name in dict.fromkeys(load.texts for load in loads):
        chosen = [load for load in loads if load.texts == name]
        mean = results["texts"]["mean_tokens"][name]
        parts.append(f"## {name.capitalize()} texts (mean {mean:.0f} tokens)")
        parts.append("Texts per second, and share of the machine's ceiling at that moment:")
        parts.append(grid(table, chosen, lambda cell: f"{number(cell['texts_per_s'])} · {100 * cell['share']:.0f} %"))
        parts.append("Milliseconds, p50 / p95 / p99 (in process: of the one call with all texts in flight):")
        parts.append(grid(table, chosen, latencies))
    parts += [comparison(results, table, loads), http_cost(table, loads), notes(results, table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def medians(samples: Iterable[Mapping[str, Any]]) -> dict[str, dict[Load, Cell]]:
    """Rival → load → the median over the rounds of every figure."""
    gathered: dict[str, dict[Load, list[Mapping[str, Any]]]] = {}
    for sample in samples:
        if sample["requests"]:
            gathered.setdefault(sample["rival"], {}).setdefault(Load(**sample["load"]), []).append(sample)
    figures = ("texts_per_s", "tokens_per_s", "gflop_per_s", "p50_ms", "p95_ms", "p99_ms", "client_cpu_share")
    return {
        rival: {
            load: {figure: statistics.median(row[figure] for row in rows) for figure in figures}
            | {"share": statistics.median(row["gflop_per_s"] / row["ceiling_gflop_per_s"] for row in rows)}
            | {"slowest": min(row["texts_per_s"] for row in rows), "fastest": max(row["texts_per_s"] for row in rows)}
            for load, rows in cells.items()
        }
        for rival, cells in gathered.items()
    }


def heading(results: Mapping[str, Any]) -> str:
    """What was measured, where and how."""
    machine, plan = results["machine"], results["plan"]
    flags = ", ".join(flag for flag, present in machine["flags"].items() if present)
    busy = 100 * max(results.get("strangers_share", []), default=0.0)
    stolen = 100 * results.get("steal_share", 0)
    sentences = [
        f"{results['date']}.",
        f"{flags}; {machine['memory_gib']} GiB; kernel {machine['kernel']}; Python {machine['python']}.",
        f"{plan['rounds']} interleaved rounds, windows of at least {plan['window_s']} s,",
        f"answers as {plan['encoding_format']}, texts {results['texts']['digest']};",
        f"processor time stolen by the host: {stolen:.1f} %,",
        f"used by strangers while everybody was paused: at most {busy:.0f} %.",
    ]
    lines = [f"# {results['model']} on {machine['cpu']}, {machine['cores']} cores", " ".join(sentences)]
    if plan["quick"]:
        lines.append("**A quick run: the windows are too short for these figures to be quoted.**")
    if busy > BUSY_PERCENT:
        lines.append("**Other programs were using the processors: these figures are not to be quoted.**")
    return "\n\n".join(lines)


def ceiling_table(results: Mapping[str, Any]) -> str:
    """The machine's matrix multiplication rates."""
    found = results.get("ceiling")
    if not found:
        return ""
    rows = [
        [precision, library, number(rate)]
        for precision in ("fp32", "bf16")
        for library, rate in found[precision]["all"].items()
    ]
    told = found["ceiling"]
    gauged = [row["ceiling_gflop_per_s"] for row in results["samples"]]
    note = (
        f"Shares are taken of torch's rate in {told['precision']} right before and after each window: "
        f"{min(gauged):.0f} to {max(gauged):.0f} GFLOP/s, median {statistics.median(gauged):.0f}."
    )
    return "## The machine's ceiling\n\n" + markdown(["precision", "library", "GFLOP/s"], rows) + "\n\n" + note


def rival_table(results: Mapping[str, Any]) -> str:
    """Who took part."""
    rows = [
        [
            name,
            facts["what"],
            facts["dtype"],
            f"{facts['cosine_min']:.6f}",
            f"{statistics.median(facts['start_s']):.2f}",
            number(facts.get("resident_mib", float("nan"))),
            f"{100 * facts.get('idle_cpu_share', float('nan')):.1f}",
        ]
        for name, facts in results["rivals"].items()
    ]
    columns = ["row", "what", "precision", "cosine, least", "start, s", "resident, MiB", "idle, % of a core"]
    return "## The rivals\n\n" + markdown(columns, rows)


def comparison(results: Mapping[str, Any], table: Mapping[str, Mapping[Load, Cell]], loads: Iterable[Load]) -> str:
    """Embedway's server against the best rival in each cell, whichever that is there."""
    if OURS not in table:
        return ""
    rows = []
    for load in loads:
        ours = table[OURS].get(load)
        fastest = best(results, table, load, lambda cell: -cell["share"], http_only=False)
        fastest_http = best(results, table, load, lambda cell: -cell["share"], http_only=True)
        promptest = best(results, table, load, lambda cell: cell["p50_ms"], http_only=True)
        if ours and fastest:
            ratios = [
                ratio(ours, fastest, "share"),
                ratio(ours, fastest_http, "share"),
                ratio(ours, promptest, "p50_ms"),
            ]
            rows.append([load.name, number(ours["texts_per_s"]), *ratios])
    if not rows:
        return ""
    columns = ["load", "embedway, texts/s", "÷ fastest rival", "÷ fastest HTTP rival", "p50 ÷ promptest HTTP rival's"]
    note = (
        f"Only rivals of equal accuracy (cosine ≥ {EQUAL_ACCURACY}). Rates are compared as shares of the ceiling, "
        "since neither the texts nor the clock rate of two windows are quite the same. Rates above 1: Embedway is "
        "faster. p50 below 1: likewise (milliseconds as they were)."
    )
    return "## Embedway against the best in each cell\n\n" + note + "\n\n" + markdown(columns, rows)


def ratio(ours: Cell, other: tuple[str, Cell] | None, figure: str) -> str:
    """Ours divided by the other's, and whose that is."""
    return f"{ours[figure] / other[1][figure]:.2f} ({other[0]})" if other else ""


def best(
    results: Mapping[str, Any],
    table: Mapping[str, Mapping[Load, Cell]],
    load: Load,
    order: Callable[[Cell], float],
    http_only: bool,
) -> tuple[str, Cell] | None:
    """The rival of equal accuracy that comes first by this order, and its cell."""
    found = []
    for name, cells in table.items():
        facts = results["rivals"][name]
        if name in (OURS, BACKEND) or load not in cells or facts["cosine_min"] < EQUAL_ACCURACY:
            continue
        if facts["over_http"] or not http_only:
            found.append((name, cells[load]))
    return min(found, key=lambda pair: order(pair[1]), default=None)


def http_cost(table: Mapping[str, Mapping[Load, Cell]], loads: Iterable[Load]) -> str:
    """How much of the backend's throughput the server costs, at 32 texts per request."""
    lines = []
    for load in loads:
        ours, backend = table.get(OURS, {}).get(load), table.get(BACKEND, {}).get(load)
        if load.per_request == 32 and ours and backend:
            cost = 1 - ours["share"] / backend["share"]
            rates = [number(cell["texts_per_s"]) for cell in (ours, backend)]
            lines.append([load.name, *rates, f"{100 * cost:.1f} %"])
    columns = ["load", "over HTTP, texts/s", "in process, texts/s", "cost of the server"]
    return "## What the server costs\n\n" + markdown(columns, lines) if lines else ""


def notes(results: Mapping[str, Any], table: Mapping[str, Mapping[Load, Cell]]) -> str:
    """Spread, the load generator's share, and everything that went wrong."""
    cells = [cell for rival in table.values() for cell in rival.values()]
    spread = [cell["fastest"] / cell["slowest"] - 1 for cell in cells]
    lines = ["## Notes", ""]
    if spread:
        lines.append(
            f"- Between rounds a cell's rate moved by {100 * statistics.median(spread):.0f} % (median), "
            f"{100 * max(spread):.0f} % (most)."
        )
    shares = [
        (cell["client_cpu_share"], f"{name}, {load.name}")
        for name, cells in table.items()
        for load, cell in cells.items()
    ]
    if shares:
        share, where = max(shares)
        lines.append(f"- The load generator used at most {100 * share:.0f} % of one core ({where}).")
    errors = [row for row in results["samples"] if row["errors"]]
    lines += [
        f"- {row['rival']}, {Load(**row['load']).name}: {row['errors']} errors, first: {row['first_error']}"
        for row in errors
    ]
    lines += [f"- Failed: {failure}" for failure in results["failures"]]
    lines.append(f"- Duration: {results.get('duration_s', 0) / 60:.0f} minutes.")
    return "\n".join(lines)


def grid(table: Mapping[str, Mapping[Load, Cell]], loads: list[Load], tell: Callable[[Cell], str]) -> str:
    """Rivals down, load shapes across."""
    rows = [[name, *(tell(cells[load]) if load in cells else "–" for load in loads)] for name, cells in table.items()]
    return markdown(["", *(load.shape for load in loads)], rows)


def latencies(cell: Cell) -> str:
    """Three percentiles."""
    return " / ".join(number(cell[name]) for name in ("p50_ms", "p95_ms", "p99_ms"))


def number(value: float) -> str:
    """Three significant digits, as a person writes them."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
