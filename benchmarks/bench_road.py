"""The whole road on Banking77, its gold labels as the teacher's answers: from a log file to a decision and a report.

    python benchmarks/bench_road.py [DATA]        # DATA: the folder that holds banking77/ (default: ../shared/data)

One process, as a user would start it; what each stage took is what the run itself says.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from bench_cli import measured
from overproof.contract import FILE
from overproof.pipeline.init import init
from overproof.pipeline.run import Outcome

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

import real_logs  # noqa: E402 - lies beside the tests


def main() -> None:
    """Print what the run took, stage by stage, and how it ended."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    if not (data / "banking77").is_dir():
        sys.exit(f"there is no banking77/ in {data}: name the folder that holds it")
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        log = real_logs.write(Path(scratch) / "log.jsonl.gz", real_logs.openai(real_logs.banking77(data)))
        init("banking77", str(log), None, None)
        contract = Path("banking77") / FILE
        price = 'terms = "acknowledged"\nprice = { input = 1.25, output = 10.0 }'
        contract.write_text(contract.read_text("utf-8").replace('terms = ""', price), "utf-8")
        used = measured([sys.executable, "-m", "overproof", "run", "--project", "banking77"], dict(os.environ))
        outcome = msgspec.json.decode(Path("banking77/.overproof/last_run.json").read_bytes(), type=Outcome)
        print(f"whole run  {used.wall_s:6.1f} s wall {used.cpu_s:6.1f} s CPU {used.peak_mib:6.0f} MiB peak")
        for stage in outcome.stages:
            print(f"{stage.stage:10} {stage.seconds:6.1f} s")
        print(f"{outcome.decision.outcome}: {outcome.decision.reason}")


if __name__ == "__main__":
    main()
