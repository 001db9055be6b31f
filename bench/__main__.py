"""`python -m bench`: the command line. `make bench` runs it without arguments, from the repository's root."""

from __future__ import annotations

import argparse
import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import fairness, machine, memory, report
from bench.loads import LOADS, SHAPES, Load
from bench.paths import REPOSITORY, RESULTS, WORK
from bench.prepare import prepare
from bench.rivals import BY_NAME, RIVALS, Rival
from bench.rounds import Plan, Run
from bench.running import Running, start_caller
from bench.texts import NAMES


def main() -> None:
    """Read the arguments and do what they say."""
    options = parser().parse_args()
    COMMANDS[options.command](options)


def parser() -> argparse.ArgumentParser:
    """The command and its options."""
    shapes = ",".join(f"{per_request}x{concurrency}" for per_request, concurrency in SHAPES)
    told = "\n".join(f"  {name:9}{(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items())
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"Measure Embedway beside its rivals.\n\ncommands:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("command", nargs="?", default="all", choices=list(COMMANDS), metavar="command", help="default: %(default)s")
    add("file", nargs="?", type=Path, help="the result file of `report`")
    add("--rivals", default="", help="comma-separated rows (default: those that suit this processor; see `list`)")
    add("--texts", default=",".join(NAMES), help="comma-separated text sets (default: %(default)s)")
    add("--shapes", default=shapes, help="comma-separated, texts per request x callers (default: %(default)s)")
    add("--rounds", type=int, help="interleaved rounds (default: 3; quick: 1)")
    add("--window", type=float, help="least seconds of one measured window (default: 1; quick: 0.5)")
    add("--encoding-format", choices=("base64", "float"), default="base64", help="of the servers' answers")
    add("--quick", action="store_true", help="one short round, to see that everything works")
    add("--ids", default="", help="comma-separated service ids of `shapes` (default: all text ids)")
    add(
        "--stored",
        choices=("bfloat16", "float32"),
        default="bfloat16",
        help="the weights of `shapes` (default: %(default)s)",
    )
    add("--layers", type=int, help="build only so many layers of each network of `shapes`")
    add("--requests", type=int, help="requests of the memory test (default: 20,000; quick: 1,000)")
    return made


def everything(options: argparse.Namespace) -> None:
    """Prepare, run and memory, one after the other: what `make bench` does."""
    prepare(chosen_rivals(options))
    run(options)
    memory_only(options)


def prepare_only(options: argparse.Namespace) -> None:
    """Install the rivals; make model folder, texts, graphs and reference vectors."""
    prepare(chosen_rivals(options))


def run(options: argparse.Namespace) -> None:
    """Measure the loads on the rivals. An interrupted run leaves what it has measured."""
    rivals = chosen_rivals(options)
    prepare(rivals)
    plan = Plan(
        rivals=rivals,
        loads=chosen_loads(options),
        rounds=options.rounds or (1 if options.quick else 3),
        window_s=options.window or (0.5 if options.quick else 1.0),
        starts=1 if options.quick else 2,
        encoding_format=options.encoding_format,
        quick=options.quick,
    )
    run = Run(plan)
    try:
        run.whole()
    finally:
        if run.results["samples"]:
            written = save(run.results, "quick" if options.quick else "")
            print(f"\n{written.with_suffix('.md').read_text()}\nwritten: {written.relative_to(REPOSITORY)} and .md")


def memory_only(options: argparse.Namespace) -> None:
    """Resident memory of Embedway's server over many requests."""
    prepare([BY_NAME["embedway"]])
    told = memory.measure(options.requests or (1_000 if options.quick else 20_000))
    path = result_path("memory-quick" if options.quick else "memory")
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{memory.sentence(told)}\nwritten: {path.relative_to(REPOSITORY)}")


def fairness_only(options: argparse.Namespace) -> None:
    """One key's single queries while another key's bulk load is embedded."""
    prepare([BY_NAME["embedway"]])
    told = fairness.measure(options.rounds or (1 if options.quick else 3), 2_000 if options.quick else 10_000)
    path = result_path("fairness-quick" if options.quick else "fairness")
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{fairness.sentence(told)}\nwritten: {path.relative_to(REPOSITORY)}")


def shapes_only(options: argparse.Namespace) -> None:
    """Every known text id at its real shape with its longest text: time and memory."""
    from bench import shapes  # needs Embedway and NumPy, which the other commands do without

    WORK.mkdir(parents=True, exist_ok=True)
    told = shapes.run(
        options.ids.split(",") if options.ids else list(shapes.NETWORKS), options.stored, WORK, options.layers
    )
    marks = ["shapes", "part" if options.ids else "", f"{options.layers}-layers" if options.layers else ""]
    path = result_path("-".join(mark for mark in marks if mark))
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"written: {path.relative_to(REPOSITORY)}")


def reduction_only(options: argparse.Namespace) -> None:
    """How many neighbours trained reductions keep, beside cutting, random projection and principal components."""
    from bench import reduction  # needs Embedway and NumPy, which the other commands do without

    told = reduction.run(WORK, options.quick)
    path = result_path("reduction-quick" if options.quick else "reduction")
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"written: {path.relative_to(REPOSITORY)}")


def gpu_only(options: argparse.Namespace) -> None:
    """Real shapes on an NVIDIA GPU, beside sentence-transformers."""
    try:
        from bench import gpu
    except ImportError as error:
        raise SystemExit(f"`bench gpu` needs {error.name}: install embedway[sentence] first.") from error

    told = gpu.run()
    path = result_path("gpu")
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"written: {path.relative_to(REPOSITORY)}")


def start_only(options: argparse.Namespace) -> None:
    """Seconds from process start to the first embedding, three starts of each rival."""
    rivals = chosen_rivals(options)
    prepare(rivals)
    caller = start_caller()
    try:
        for rival in rivals:
            seconds = []
            for _ in range(3):
                running = Running(rival, caller, options.encoding_format)
                seconds.append(running.start_s)
                running.close()
            print(
                f"{rival.name}: {statistics.median(seconds):.2f} s of {', '.join(f'{value:.2f}' for value in seconds)}",
                flush=True,
            )
    finally:
        caller.close()


def list_rivals(options: argparse.Namespace) -> None:
    """The rivals and their commands; a star marks the default selection on this processor."""
    for rival in RIVALS:
        command = " ".join(rival.command()).replace(f"{REPOSITORY}/", "")
        print(f"{'*' if rival.chosen else ' '} {rival.name}: {rival.what}\n    {command}")


def report_only(options: argparse.Namespace) -> None:
    """Make the tables of a result file again."""
    if not options.file:
        raise SystemExit("which result file?")
    options.file.with_suffix(".md").write_text(report.render(json.loads(options.file.read_text())))


def chosen_rivals(options: argparse.Namespace) -> list[Rival]:
    """The rows that were asked for."""
    if not options.rivals:
        return [rival for rival in RIVALS if rival.chosen]
    names = options.rivals.split(",")
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are: {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in names]


def chosen_loads(options: argparse.Namespace) -> list[Load]:
    """The loads that were asked for."""
    texts, shapes = options.texts.split(","), options.shapes.split(",")
    loads = [load for load in LOADS if load.texts in texts and load.shape in shapes]
    if not loads:
        raise SystemExit("no load has these texts and shapes")
    return loads


def save(results: dict[str, Any], mark: str) -> Path:
    """Write the raw results and the tables beside them."""
    path = result_path(mark)
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(report.render(results))
    return path


def result_path(mark: str) -> Path:
    """`<date>-<processor>[-<mark>].json`."""
    RESULTS.mkdir(exist_ok=True)
    date = datetime.now(UTC).date().isoformat()
    return RESULTS / ("-".join(part for part in (date, machine.slug(), mark) if part) + ".json")


COMMANDS = {
    "all": everything,
    "prepare": prepare_only,
    "run": run,
    "memory": memory_only,
    "fairness": fairness_only,
    "shapes": shapes_only,
    "reduction": reduction_only,
    "gpu": gpu_only,
    "start": start_only,
    "list": list_rivals,
    "report": report_only,
}

if __name__ == "__main__":
    main()
