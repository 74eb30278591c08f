"""What the command line costs with nothing to do, as whole processes: `--help`, and a run of a finished project.

    python benchmarks/bench_cli.py [--repeats 15]

Processor time (user + system) and wall time are medians; Python alone is the floor in the same turn. Compiled modules
are used as an installed package has them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What one whole process took."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def measured(command: list[str], environment: dict[str, str]) -> Usage:
    """Run a command to its end and return what it took, as the system counted it."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with code {process.returncode}")
    return Usage(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024)


def main() -> None:
    """Print one line for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE"}}
    ours = [sys.executable, "-m", "overproof"]
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "demo"
        first = measured([*ours, "demo", str(project)], environment)
        print(f"overproof demo{first.cpu_s:>20.2f} s  CPU{first.wall_s:>9.2f} s  wall{first.peak_mib:>7.0f} MiB peak")
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "overproof --help": [*ours, "--help"],
            "overproof run, no-op": [*ours, "run", "--project", str(project)],
        }
        taken: dict[str, list[Usage]] = {name: [] for name in commands}
        for _ in range(repeats + 1):
            for name, command in commands.items():
                taken[name].append(measured(command, environment))
        floor = statistics.median(each.cpu_s for each in taken["python -c pass"][1:])
        for name, runs in taken.items():
            cpu = statistics.median(each.cpu_s for each in runs[1:])
            wall = statistics.median(each.wall_s for each in runs[1:])
            print(f"{name:24}{1000 * cpu:>10.0f} ms CPU{1000 * wall:>9.0f} ms wall{cpu / floor:>8.1f}x python alone")


if __name__ == "__main__":
    main()
