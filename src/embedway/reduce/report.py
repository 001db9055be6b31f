"""One page on what a trained reduction is worth: it needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from embedway.errors import SettingsError
from embedway.models.reduction import Card, Quality, read_reduction
from embedway.reduce.plot import Line, plot

VECTORS = 1_000_000
"""For which the storage is shown."""
STYLE = """
:root { color-scheme: light dark; --text: #1d2129; --faint: #5b6370; --paper: #fff; --rule: #dfe3e8;
  --ours: #0a5fb4; --pca: #b3560a; --cut: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --text: #e7eaee; --faint: #a3abb7; --paper: #15181d; --rule: #333a44;
  --ours: #6cb2f7; --pca: #f0a35c; --cut: #9aa3af; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.note, figcaption, .axis { color: var(--faint); } figure { margin: 0; } figcaption { font-size: .9rem; }
svg { width: 100%; height: auto; font-size: 13px; }
svg text { fill: var(--text); } svg text.axis { fill: var(--faint); }
svg .grid { stroke: var(--rule); } svg .mark { stroke: var(--faint); stroke-dasharray: 2 4; }
svg polyline { fill: none; stroke-width: 2; }
svg polyline.ours, svg polyline.curve { stroke: var(--ours); } svg circle.ours { fill: var(--ours); }
svg polyline.pca { stroke: var(--pca); stroke-dasharray: 7 4; } svg circle.pca { fill: var(--pca); }
svg polyline.cut { stroke: var(--cut); stroke-dasharray: 2 3; } svg circle.cut { fill: var(--cut); }
svg text.ours, svg text.curve { fill: var(--ours); }
svg text.pca { fill: var(--pca); } svg text.cut { fill: var(--cut); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--rule); font-weight: normal; }
th { color: var(--faint); } tr.chosen td { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
"""


def write_report(artefact: Path, output: Path) -> None:
    """Raises `ModelFilesError` for an artefact that cannot be read, `SettingsError` for a page that cannot be
    written.
    """
    page = render(read_reduction(artefact).card)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror or error}.") from error


def render(card: Card) -> str:
    """The page."""
    chosen = next(one for one in card.quality if one.dimensions == card.dimension)
    saved = 1 - card.dimension / card.width
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Reduction {escape(card.name)}</title><style>{STYLE}</style></head><body>",
            f"<h1>Reduction {escape(card.name)}</h1>",
            f'<p class="note">{_origin(card)}</p>',
            f"<p>At {card.dimension} of {card.width} dimensions it keeps <strong>{chosen.recall:.1%}</strong> of the "
            f"ten nearest neighbours and saves {saved:.0%} of the storage. Principal components keep {chosen.pca:.1%}, "
            f"and plain cutting {chosen.cut:.1%}.</p>",
            "<h2>Neighbours kept</h2>",
            _figure(
                _recall_plot(card),
                "Share of the ten nearest rows by whole vectors that shorter vectors find too, "
                f"in {card.data.held_out:,} rows that were held out. The dotted line is the length that is given "
                "when none is asked for.",
            ),
            "<h2>Storage</h2>",
            *_table(card),
            "<h2>Variance explained</h2>",
            _figure(_variance_plot(card), "Share of the vectors' variance that the first principal components have."),
            "<h2>What it was made of</h2>",
            *_facts(card),
            "</body></html>",
            "",
        ]
    )


def _origin(card: Card) -> str:
    base = f"vectors of {escape(card.base.model)}" if card.base else "vectors of no named model"
    return f"For {base}, trained on {card.data.trained:,} of {card.data.rows:,} rows."


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _recall_plot(card: Card) -> str:
    def points(name: str) -> list[tuple[float, float]]:
        return [(one.dimensions, getattr(one, name)) for one in card.quality]

    lines = [
        Line("this reduction", "ours", points("recall")),
        Line("PCA", "pca", points("pca")),
        Line("plain cutting", "cut", points("cut")),
    ]
    return plot("Neighbours kept against dimensions", lines, "dimensions", card.dimension)


def _variance_plot(card: Card) -> str:
    line = Line("variance", "curve", [(index + 1, share) for index, share in enumerate(card.explained)])
    return plot("Variance explained against components", [line], "components", card.dimension)


def _table(card: Card) -> Iterator[str]:
    yield (
        "<table><thead><tr><th>dimensions</th><th>neighbours kept</th><th>PCA</th><th>cutting</th>"
        "<th>float32, a million vectors</th><th>saved</th></tr></thead><tbody>"
    )
    yield from (_row(card, one) for one in card.quality)
    yield "</tbody></table>"


def _row(card: Card, one: Quality) -> str:
    cells = (
        str(one.dimensions),
        f"{one.recall:.1%}",
        f"{one.pca:.1%}",
        f"{one.cut:.1%}",
        f"{VECTORS * one.dimensions * 4 / 2**20:,.0f} MiB",
        f"{1 - one.dimensions / card.width:.0%}",
    )
    chosen = ' class="chosen"' if one.dimensions == card.dimension else ""
    return f"<tr{chosen}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _facts(card: Card) -> Iterator[str]:
    facts: Mapping[str, object] = {
        "Method": card.method + (", whitened" if card.whitened else ""),
        "Base model": card.base.model if card.base else "none named",
        "Its revision": card.base.revision if card.base else "-",
        "Rows": f"{card.data.rows:,}, and {card.data.refused:,} refused",
        "Trained on": f"{card.data.trained:,} distinct rows",
        "Measured with": f"{card.data.held_out:,} other rows",
        "Digest of the data": card.data.digest,
        "Seed": card.seed,
        "Made with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
    }
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    yield "</dl>"
