"""What is asked of a rival (`Load`) and what came of it (`Sample`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench.flops import flop
from bench.texts import BLOCK, NAMES


@dataclass(frozen=True)
class Load:
    """A closed loop: `concurrency` callers, each sending `per_request` texts, then awaiting the answer."""

    texts: str
    per_request: int
    concurrency: int

    @property
    def name(self) -> str:
        """For example `mixed 32x8`: 32 texts per request, 8 callers."""
        return f"{self.texts} {self.shape}"

    @property
    def shape(self) -> str:
        """For example `32x8`."""
        return f"{self.per_request}x{self.concurrency}"

    @property
    def in_one_call(self) -> int:
        """Texts that an in-process rival is given in one call: all that are in flight.

        Of long texts 32 at most: they are all of one length after cutting, and a longer list would only take longer.
        """
        in_flight = self.per_request * self.concurrency
        return min(in_flight, BLOCK) if self.texts == "long" else in_flight

    @property
    def fewest_requests(self) -> int:
        """Every caller has a turn; of mixed texts at least two blocks go through, so that all get the same mixture."""
        texts = 2 * BLOCK if self.texts == "mixed" else 1
        return max(self.concurrency, texts // self.per_request)


SHAPES = ((1, 1), (1, 8), (1, 32), (1, 64), (32, 1), (32, 8))
LOADS = tuple(Load(texts, per_request, concurrency) for texts in NAMES for per_request, concurrency in SHAPES)


@dataclass
class Sample:
    """One measured window of one load on one rival.

    No new request starts once the window is over *and* `Load.fewest_requests` were sent; requests in flight are waited
    for, and `seconds` runs to the last answer. Rates are over that whole time.
    """

    requests: int
    texts: int
    tokens: int
    flop: int
    seconds: float
    latencies_ms: list[float]
    errors: int = 0
    first_error: str = ""
    client_cpu_s: float = 0.0
    """Processor time of the load generator in the window (it shares the machine with the server)."""

    def told(self) -> dict[str, object]:
        """The sample as plain data, latencies as percentiles."""
        plain = asdict(self)
        latencies = sorted(plain.pop("latencies_ms"))
        seconds = self.seconds or float("nan")
        return plain | {
            "texts_per_s": self.texts / seconds,
            "tokens_per_s": self.tokens / seconds,
            "gflop_per_s": self.flop / seconds / 1e9,
            "p50_ms": percentile(latencies, 0.50),
            "p95_ms": percentile(latencies, 0.95),
            "p99_ms": percentile(latencies, 0.99),
            "client_cpu_share": self.client_cpu_s / seconds,
        }


def percentile(ordered: list[float], share: float) -> float | None:
    """The value below which this share of the ordered values lies (nearest rank)."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def work(tokens: list[int]) -> int:
    """Floating-point operations for texts of these lengths."""
    return sum(flop(count) for count in tokens)
