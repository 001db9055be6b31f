"""The measured run: all rivals started once, then round after round, load after load, one rival after the other.

Only the rival that is being measured runs; the others are paused (SIGSTOP). The order of rivals turns by one from round
to round and load to load. Medians are taken over rounds (in `bench.report`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bench import ceiling, machine, prepare, texts, venvs
from bench.loads import Load
from bench.paths import REPOSITORY
from bench.rivals import MODEL_NAME, Rival
from bench.running import Running, start_caller

LOOK_S = 3.0


@dataclass(frozen=True)
class Plan:
    """What is to be measured. `window_s` is the least duration of one window; see `loads.Sample` for when it ends."""

    rivals: Sequence[Rival]
    loads: Sequence[Load]
    rounds: int = 3
    window_s: float = 1.0
    starts: int = 2
    encoding_format: str = "base64"
    quick: bool = False


class Run:
    """One run of a plan. `results` is plain data, complete at every moment, so that an interrupted run can be saved."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.caller = start_caller()
        self.gauge = ceiling.start_gauge()
        self.running: dict[str, Running] = {}
        self.serial = 1_000_000
        self.began = time.perf_counter()
        self.ceilings: list[dict[str, Any]] = []
        self.results: dict[str, Any] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine.facts(),
            "model": MODEL_NAME,
            "texts": {"digest": texts.digest(), "mean_tokens": {name: mean_tokens(name) for name in texts.NAMES}},
            "plan": {
                "rounds": plan.rounds,
                "window_s": plan.window_s,
                "encoding_format": plan.encoding_format,
                "quick": plan.quick,
            },
            "rivals": {},
            "samples": [],
            "strangers_share": [],
            "failures": [],
            "packages": {
                venv.name: venvs.versions(venv) for venv in dict.fromkeys(rival.venv for rival in plan.rivals)
            },
        }

    def whole(self) -> None:
        """Start, check, warm and measure everybody, then end them."""
        before = machine.processor_times()
        try:
            self.start_all()
            self.look_at_idle()
            for number in range(self.plan.rounds):
                self.round(number)
            self.results["ceiling"] = ceiling.summarize(self.ceilings) | {"rounds": self.ceilings}
            for name, running in self.running.items():
                self.results["rivals"][name]["resident_mib"] = running.resident_bytes() / 2**20
        finally:
            self.results["steal_share"] = machine.share("stolen", before, machine.processor_times())
            self.results["duration_s"] = time.perf_counter() - self.began
            for running in self.running.values():
                running.close()
            self.caller.close()
            self.gauge.close()

    def start_all(self) -> None:
        """Start every rival (servers several times, for the median), compare its vectors, warm it and pause it."""
        for rival in self.plan.rivals:
            try:
                self.start_one(rival)
            except (RuntimeError, TimeoutError) as error:
                self.failed(f"{rival.name} did not start: {error}")

    def start_one(self, rival: Rival) -> None:
        """One rival."""
        seconds = []
        for left in reversed(range(self.plan.starts if rival.over_http else 1)):
            running = Running(rival, self.caller, self.plan.encoding_format)
            seconds.append(running.start_s)
            if left:
                running.close()
        self.running[rival.name] = running
        accuracy = prepare.check(running)
        self.results["rivals"][rival.name] = {
            "what": rival.what,
            "over_http": rival.over_http,
            "dtype": rival.dtype,
            "command": [argument.replace(f"{REPOSITORY}/", "") for argument in rival.command()],
            "start_s": seconds,
        } | asdict(accuracy)
        for name in dict.fromkeys(load.texts for load in self.plan.loads):
            self.measure(running, Load(name, 1, 8), 0.5, fewest=8)
            self.measure(running, Load(name, 32, 1), 0.1, fewest=1)
        running.pause()
        self.say(f"{rival.name}: started in {statistics.median(seconds):.1f} s, cosine {accuracy.cosine_min:.5f}")

    def look_at_idle(self) -> None:
        """How much of a processor each started rival uses when nobody asks anything of it."""
        for name, running in self.running.items():
            running.resume()
            before_s = running.cpu_s()
            time.sleep(LOOK_S)
            self.results["rivals"][name]["idle_cpu_share"] = (running.cpu_s() - before_s) / LOOK_S
            running.pause()

    def round(self, number: int) -> None:
        """What strangers use while all are paused, the machine's ceiling, then every load on every rival."""
        before = machine.processor_times()
        time.sleep(LOOK_S)
        self.results["strangers_share"].append(machine.share("busy", before, machine.processor_times()))
        self.ceilings.append(ceiling.measure())
        names = list(self.running)
        calls: dict[tuple[str, str, int], dict[str, Any]] = {}
        for place, load in enumerate(self.plan.loads):
            first = (number + place) % max(1, len(names))
            for name in names[first:] + names[:first]:
                rival = self.running[name].rival
                same_call = (name, load.texts, load.in_one_call)
                told = None if rival.over_http else calls.get(same_call)
                if not told:
                    told = calls[same_call] = self.window(self.running[name], load)
                if told:
                    self.results["samples"].append({"rival": name, "load": asdict(load), "round": number} | told)
            self.say(f"round {number + 1} of {self.plan.rounds}: {load.name}: {self.rates(load, number)}")

    def window(self, running: Running, load: Load) -> dict[str, Any]:
        """One measured window: let the rival go on, give it a moment to get its caches back, measure, pause it."""
        running.resume()
        try:
            before = self.speed()
            self.measure(running, Load(load.texts, 1, 1), 0.15, fewest=1)
            told = self.measure(running, load, self.plan.window_s, load.fewest_requests)
            return told | {"ceiling_gflop_per_s": (before + self.speed()) / 2}
        except (RuntimeError, TimeoutError, OSError) as error:
            self.failed(f"{running.rival.name}, {load.name}: {error}")
            return {}
        finally:
            running.pause()

    def measure(self, running: Running, load: Load, window_s: float, fewest: int) -> dict[str, Any]:
        """Measure, with numbers for the texts that nobody else gets."""
        self.serial += 100_000
        return running.measure(load, window_s, self.serial, fewest)

    def speed(self) -> float:
        """The machine's matrix multiplication rate at this moment, in GFLOP/s."""
        rate: float = self.gauge.ask(60.0, do="rate")
        return rate

    def rates(self, load: Load, number: int) -> str:
        """The texts per second of one load in one round, for the eye."""
        wanted = (number, asdict(load))
        rows = [row for row in self.results["samples"] if (row["round"], row["load"]) == wanted]
        return ", ".join(
            f"{row['rival']} {row['texts_per_s']:.0f}/s" for row in sorted(rows, key=lambda row: row["rival"])
        )

    def failed(self, why: str) -> None:
        """Keep and show a failure (without this machine's paths)."""
        why = why.replace(f"{REPOSITORY}/", "")
        self.results["failures"].append(why)
        self.say(f"FAILED {why}")

    def say(self, line: str) -> None:
        """Progress, with the seconds since the start."""
        print(f"[{time.perf_counter() - self.began:6.0f} s] {line}", flush=True)


def mean_tokens(name: str) -> float:
    """Mean tokens of a set's texts, after truncation."""
    tokens = texts.load(name).tokens
    return sum(tokens) / len(tokens)
