"""What the command line costs with nothing to do, as whole processes: `--help`, and a run of a finished project.

    python benchmarks/bench_cli.py [--repeats 15]

Processor time (user + system) and wall time are medians; Python alone is the floor in the same turn. Compiled modules
are used as an installed package has them.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

Seconds = tuple[float, float]


def timed(command: list[str], environment: dict[str, str]) -> Seconds:
    """Return processor and wall seconds of one whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    """Print one line for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE"}}
    ours = [sys.executable, "-m", "overproof"]
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "demo"
        cpu, wall = timed([*ours, "demo", str(project)], environment)
        print(f"overproof demo, first time{cpu:>12.2f} s CPU{wall:>9.2f} s wall")
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "overproof --help": [*ours, "--help"],
            "overproof run, no-op": [*ours, "run", "--project", str(project)],
        }
        taken: dict[str, list[Seconds]] = {name: [] for name in commands}
        for _ in range(repeats + 1):
            for name, command in commands.items():
                taken[name].append(timed(command, environment))
        floor = statistics.median(cpu for cpu, _ in taken["python -c pass"][1:])
        for name, runs in taken.items():
            cpu = statistics.median(each for each, _ in runs[1:])
            wall = statistics.median(each for _, each in runs[1:])
            print(f"{name:24}{1000 * cpu:>10.0f} ms CPU{1000 * wall:>9.0f} ms wall{cpu / floor:>8.1f}x python alone")


if __name__ == "__main__":
    main()
