"""How many neighbours shorter vectors keep: plain cutting, random projection, principal components, and ours.

The texts are those of `bench.corpus`; the model is the bundled one. Recall@10: of a text's 10 nearest held-out texts by
whole vectors, the share that is among the 10 nearest by shorter ones, by cosine. Intervals are of a bootstrap over the
texts that are asked with (Efron 1979): 95 % of the means of samples drawn with replacement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import machine
from bench.corpus import Corpus, collect
from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.models.reduction import FORMAT, Base, Card, Data, Reduction
from embedway.reduce import components
from embedway.reduce.components import Map
from embedway.reduce.neighbours import nearest, recalls
from embedway.reduce.nested import Plan, train_nested
from embedway.types import ModelSpec, Text
from embedway.vectors import Floats, unit_rows

MODEL = "all-MiniLM-L6-v2"
SIZES = (32, 64, 128, 192, 256, 384)
TRAINED, HELD_OUT = 30_000, 12_000
ASKED, NEIGHBOURS = 4_000, 10
SAMPLES = 2_000
TOGETHER = 64
OURS, PRINCIPAL = "nested", "PCA"


def run(folder: Path, quick: bool = False) -> dict[str, Any]:
    """Collect, embed, train, measure. `folder` keeps the vectors for another run; `quick` uses a tenth of it all."""
    share = 10 if quick else 1
    corpus = collect(TRAINED // share, HELD_OUT // share)
    with_model = open_backend(ModelSpec(MODEL, MODEL, dtype="fp32"))
    print(f"{len(corpus.train)} texts to train on, {len(corpus.held_out)} held out, digest {corpus.digest}", flush=True)
    trained, held_out = _vectors(corpus, with_model, folder)
    plan = Plan(steps=100) if quick else Plan()
    started_s = time.perf_counter()
    maps = _maps(trained, plan)
    trained_s = time.perf_counter() - started_s
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "model": {"name": MODEL, "revision": with_model.facts.revision, "dtype": with_model.facts.dtype},
        "texts": {"train": len(corpus.train), "held_out": len(corpus.held_out), "digest": corpus.digest},
        "asked": min(ASKED, len(held_out)),
        "plan": {name: getattr(plan, name) for name in Plan.__dataclass_fields__},
        "training_s": round(trained_s, 1),
        "cost": _cost(with_model, corpus.held_out, maps[OURS]),
        "rows": _measure(held_out, maps),
    }


def _vectors(corpus: Corpus, model: Backend, folder: Path) -> tuple[Floats, Floats]:
    """Of both parts; kept in the folder under the digest of the texts."""
    kept = folder / f"reduction-{corpus.digest}.npz"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(kept, train=_embed(corpus.train, model), held_out=_embed(corpus.held_out, model))
    with np.load(kept) as found:
        return unit_rows(found["train"]), unit_rows(found["held_out"][::-1])  # the plan was chosen with the first


def _embed(texts: Sequence[str], model: Backend) -> Floats:
    features = [model.prepare(Text(text)) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: features[index].cost)
    rows = np.empty((len(texts), model.facts.dimensions), dtype=np.float32)
    for start in range(0, len(order), TOGETHER):
        places = order[start : start + TOGETHER]
        rows[places] = [one.dense for one in model.run([features[place] for place in places])]
        print(f"\r{start + len(places)} of {len(order)} texts", end="", flush=True)
    print(flush=True)
    return rows


def _maps(trained: Floats, plan: Plan) -> dict[str, Map]:
    """What is compared, by its name in the table."""
    exact = trained.astype(np.float64)
    width, mean = exact.shape[1], exact.mean(axis=0)
    moments = exact.T @ exact / len(exact)
    covariance = moments - np.outer(mean, mean)
    start = components.about_zero(moments)
    drawn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]

    def told(done: int, total: int) -> None:
        print(f"\rstep {done} of {total}", end="" if done < total else "\n", flush=True)

    return {
        "cutting": Map(np.eye(width), np.zeros(width)),
        "random projection": Map(drawn, np.zeros(width)),
        "PCA, centred": components.about_mean(covariance, mean, whiten=False),
        "PCA, whitened": components.about_mean(covariance, mean, whiten=True),
        PRINCIPAL: start,
        OURS: train_nested(trained, start, 0, plan, told),
    }


def _measure(held_out: Floats, maps: Mapping[str, Map]) -> list[dict[str, Any]]:
    """A row for each method and size, with how much more it keeps than principal components."""
    true = nearest(held_out, NEIGHBOURS, ASKED)
    mapped = {name: one.apply(held_out) for name, one in maps.items()}
    rows = []
    for size in SIZES:
        shares = {name: recalls(true, found, size) for name, found in mapped.items()}
        for name, found in shares.items():
            rows.append(
                {"method": name, "dimensions": size, **_interval(found), "gain": _interval(found - shares[PRINCIPAL])}
            )
            print(sentence(rows[-1]), flush=True)
    return rows


def _interval(shares: npt.NDArray[np.float64]) -> dict[str, float]:
    """The mean, and where 95 % of the bootstrap's means lie."""
    generator = np.random.default_rng(0)
    means = [shares[generator.integers(0, len(shares), len(shares))].mean() for _ in range(SAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": round(float(shares.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _cost(model: Backend, texts: Sequence[str], mapped: Map) -> dict[str, float]:
    """Milliseconds of the pass over 64 texts and of the map over their vectors, the median of seven each."""
    reduction = Reduction(_card(model), mapped.components.astype(np.float32), mapped.shift.astype(np.float32))
    features = [model.prepare(Text(text)) for text in texts[:TOGETHER]]
    rows = np.stack([one.dense for one in model.run(features) if one.dense is not None])
    pass_ms = _median_ms(lambda: model.run(features))
    map_ms = _median_ms(lambda: reduction.apply(rows))
    return {"pass_ms": round(pass_ms, 2), "map_ms": round(map_ms, 3), "share": round(map_ms / pass_ms, 5)}


def _card(model: Backend) -> Card:
    width = model.facts.dimensions
    return Card(
        format=FORMAT,
        name="bench",
        method="nested",
        whitened=False,
        width=width,
        dimension=width // 3,
        base=Base(MODEL, model.facts.revision),
        data=Data("", 0, 0, 0, 0),
        quality=[],
        explained=[],
        seed=0,
        versions={},
    )


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(7):
        start_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start_s)
    return float(np.median(taken)) * 1000


def sentence(row: Mapping[str, Any]) -> str:
    """What was found for one method and size."""
    gain = row["gain"]
    return (
        f"{row['dimensions']:>4} {row['method']:<18} {row['mean']:.4f} [{row['low']:.4f}, {row['high']:.4f}]  than PCA "
        f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
    )
