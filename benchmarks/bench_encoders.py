"""Measure an encoder: how long it takes to install and to open, and how fast it turns real texts into vectors.

python benchmarks/bench_encoders.py [--data FOLDER] [--name minilm]

Installs the encoder into a folder of its own. One thread a text; several at once where `embed` found that to help.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from overproof.models.encoders import install
from overproof.models.encoders.runtime import Encoder, Precision

HERE = Path(__file__).parent


def texts(data: Path) -> list[str]:
    """Return the training texts of Banking77."""
    with gzip.open(data / "banking77" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def peak() -> float:
    """Return the most memory this process has held, in MiB."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def measure(folder: Path, precision: Precision, inputs: list[str]) -> str:
    """Return one row of the table; in a process of its own, so that memory is this encoder's alone."""
    began = time.perf_counter()
    encoder = Encoder.open(folder, precision=precision)
    opened = time.perf_counter() - began
    memory = peak()
    ones = []
    for text in inputs[:2000]:
        began = time.perf_counter()
        encoder.embed_one(text)
        ones.append(1000 * (time.perf_counter() - began))
    began = time.perf_counter()
    encoder.embed(inputs[:4000])
    rate = 4000 / (time.perf_counter() - began)
    p50, p95 = np.quantile(ones, [0.5, 0.95])
    return (
        f"| {encoder.precision} | {opened:.2f} s | {memory:.0f} MiB | {p50:.2f} / {p95:.2f} ms | {rate:,.0f} rows/s on "
        f"{encoder.threads} | {encoder.size_bytes / 1e6:.0f} MB |"
    )


def main() -> None:
    """Print how the installation went and a row for each precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--name", default="minilm")
    parser.add_argument("--row", nargs=2, metavar=("FOLDER", "PRECISION"))
    given = parser.parse_args()
    if given.row:
        print(measure(Path(given.row[0]), given.row[1], texts(given.data)))
        return
    with tempfile.TemporaryDirectory() as home:
        info = install.add(Path(home), given.name)
        print(
            f"{info.name}: made in {info.seconds:.1f} s, {info.size_bytes / 1e6:.0f} MB; cosine of 8 bits to float32 "
            f"{info.parity.mean:.4f} on average, {info.parity.lowest:.4f} at worst, same neighbour for "
            f"{info.parity.agreement:.0%}\n"
        )
        print("| precision | opening | memory | one text p50 / p95 | many texts, threads | in a release |")
        print("| --- | --- | --- | --- | --- | --- |", flush=True)
        for precision in ("int8", "fp32"):
            row = ["--row", str(Path(home) / info.name), precision, "--data", str(given.data)]
            subprocess.run([sys.executable, __file__, *row], check=True)


if __name__ == "__main__":
    main()
