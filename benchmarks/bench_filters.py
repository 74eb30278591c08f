"""Measure what doubt, asking again and the second pass are worth, against gold that none of them reads.

python benchmarks/bench_filters.py [--quick] [--data FOLDER]

**Help desk**: the demo's own road up to its filters, with recorded answers and verdicts over real HTTP: how many labels
are kept and right, for how much, by slice, beside prompts drawn by chance and treated the same.

**Banking77**: a teacher that is wrong in 10 % of its answers, each time with a label that a model confuses the right
one with (drawn from that label's row of the out-of-fold confusion table of a linear student on clean labels). Linear
students learn from all of it, or from what the filters leave when nothing can be bought; accuracy on the test set
against gold, paired by seed, and the same on clean labels. Each seed draws nine tenths of train and its own noise; none
of these seeds was looked at while the filters' constants were chosen, other draws of the same data were. `--data` takes
any folder of the same shape.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
if any(os.environ.get(name) != "1" for name in ONE_THREAD):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **dict.fromkeys(ONE_THREAD, "1")})

import numpy as np  # noqa: E402 - BLAS reads its settings when it is loaded
import polars as pl  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy.stats import binomtest  # noqa: E402

from overproof.contract import FILE  # noqa: E402
from overproof.core import tables  # noqa: E402
from overproof.core.chance import draw  # noqa: E402
from overproof.core.splits import Train, Tune  # noqa: E402
from overproof.core.types import Example, Kept  # noqa: E402
from overproof.filters import agreement, doubt, settle, worth  # noqa: E402
from overproof.filters.opinion import calibrated, opinion, out_of_fold  # noqa: E402
from overproof.pipeline.demo import lay_out  # noqa: E402
from overproof.pipeline.progress import Silent  # noqa: E402
from overproof.pipeline.project import Project  # noqa: E402
from overproof.pipeline.resampling import Arm, costs_of, sampled  # noqa: E402
from overproof.pipeline.run import make  # noqa: E402
from overproof.pipeline.sampling import PENALTY, by_chance, scene_of, targeted  # noqa: E402
from overproof.pipeline.stages import STAGES  # noqa: E402
from overproof.students.linear import Linear  # noqa: E402

ENDPOINT = 'base_url = "replay:helpdesk"\nsend_metadata = ["ticket"]\n'
CONTRACT = """
[sampling]
hard = 5
share = 0.25
{verifier}
[budget]
usd = 20
"""
VERIFIER = f'\n[verifier]\nmodel = "tern-verifier"\n{ENDPOINT}price = {{ input = 0.15, output = 0.60 }}\n'
NOISE = 0.1
FIRST_SEED = 200
Labels = NDArray[np.intp]


# --- help desk --------------------------------------------------------------------------------------------------------


def helpdesk(seeds: int) -> None:
    """Print what each way of sampling leaves of the help desk's labels."""
    print("Help desk, triage: labels kept of the train and tune prompts, and how many of those kept are right")
    print(
        f"{'':44}{'kept':>8}{'right':>8}  {'95 %':15}{'asked again':>12}{'answers':>9}{'verified':>9}{'$':>8}"
        f"{'$/mistake':>11}"
    )
    with tempfile.TemporaryDirectory() as place:
        for title, verifier in (("", ""), (" and verified", VERIFIER)):
            project = _filtered(Path(place) / f"demo{bool(verifier)}", CONTRACT.format(verifier=verifier))
            _compare(project, title, seeds, by_slice=bool(verifier))


def _filtered(folder: Path, more: str) -> Project:
    """Return the demo's project with another [sampling], made up to the teacher's first answers."""
    lay_out(folder)
    text = (folder / FILE).read_text("utf-8")
    tables_kept = [part for part in text.split("\n[") if not part.startswith(("sampling]", "verifier]", "budget]"))]
    (folder / FILE).write_text("\n[".join(tables_kept) + more, "utf-8")
    project = Project(folder)
    for stage in STAGES[:3]:
        make(project, stage, Silent())
    return project


def _compare(project: Project, title: str, seeds: int, *, by_slice: bool) -> None:
    scene = scene_of(project, Silent())
    judged = scene.judged(scene.first)
    began = time.process_time()
    suspects = targeted(scene, judged)
    doubting = time.process_time() - began
    alone = Arm(suspects.opinion, suspects.doubted, suspects.targets.clear())
    first = agreement.ballots(judged).unique("prompt_id", keep="first", maintain_order=True)
    before = worth.Way("first answer", first.select("prompt_id", "answer"), _free())
    arms = [alone, suspects]
    arms += [by_chance(scene, judged, suspects.targets.height, f"bench {seed}") for seed in range(seeds)]
    done = asyncio.run(sampled(scene, judged, arms))
    slices = [each.name for each in scene.contract.slices] if by_slice else []
    ways = [before]
    for found in done:
        learned = found.fates.filter(pl.col("answer").is_not_null()).select("prompt_id", "answer")
        ways.append(worth.Way("targeted", learned, costs_of(scene, found)))
    rows = [list(worth.worth(scene.dealt, scene.requests, [before, way], slices))[1::2] for way in ways]
    if not by_slice:
        _print("first answers, as they came", rows[0][0])
        _print("doubt alone, nothing bought", rows[1][0])
        print(f"{'':4}(doubting took {doubting:.1f} s of processor time)")
    _print(f"doubted ones asked again{title}", rows[2][0], done[1].again.height, done[1].verdicts.height)
    chance = [row[0] for row in rows[3:]]
    _print(f"as many drawn by chance{title}, median", _middle(chance), done[2].again.height, done[2].verdicts.height)
    right = [row.right / row.kept for row in chance]
    print(f"{'':4}({seeds} draws: {min(right):.4f} to {max(right):.4f})")
    if by_slice:
        for plain, again in zip(rows[0][1:], rows[2][1:], strict=True):
            _print(f"  {plain.slice}: first answers", plain)
            _print(f"  {plain.slice}: asked again and verified", again)
        _calibration(scene.requests, judged, suspects)


def _free() -> pl.DataFrame:
    return pl.DataFrame(schema={"prompt_id": pl.String, "answers": pl.Int64, "usd": pl.Float64})


def _middle(rows: Sequence[Kept]) -> Kept:
    """Return the row whose share of right labels is the median."""
    return sorted(rows, key=lambda row: row.right / row.kept)[len(rows) // 2]


def _print(title: str, row: Kept, answers: int = 0, verified: int = 0) -> None:
    removed = (row.prompts - row.right_before) - (row.kept - row.right)
    price = f"{row.usd / removed:.4f}" if row.usd and removed > 0 else ""
    print(
        f"{title:44}{row.kept / row.prompts:8.1%}{row.right / row.kept:8.4f}  {row.lower:.4f}-{row.upper:.4f}  "
        f"{row.resampled / row.prompts:11.1%}{answers:9}{verified:9}{row.usd:8.3f}{price:>11}",
        flush=True,
    )


def _calibration(requests: pl.DataFrame, judged: pl.DataFrame, arm: Arm) -> None:
    gold = requests.filter(pl.col("gold").is_not_null()).group_by("prompt_id").agg(pl.col("gold").first())
    table = doubt.weigh(judged, arm.opinion).join(gold, on="prompt_id")
    _bins(table["doubt"].to_numpy(), (table["leader"] != table["gold"]).to_numpy())


def _bins(chance: NDArray[np.float64], wrong: NDArray[np.bool_]) -> None:
    """Print whether the chance of being wrong means what it says."""
    print(f"  {'chance of being wrong':24}{'answers':>9}{'mean chance':>13}{'wrong':>8}")
    for low, high in itertools.pairwise((0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.01)):
        inside = (chance >= low) & (chance < high)
        if inside.any():
            name = f"{low:g} to {min(high, 1):g}"
            print(f"  {name:24}{inside.sum():9}{chance[inside].mean():13.3f}{wrong[inside].mean():8.3f}")


# --- Banking77 --------------------------------------------------------------------------------------------------------


class Bank(NamedTuple):
    """Texts as examples' columns, and their gold labels as places in `labels`."""

    examples: pl.DataFrame
    gold: Labels
    labels: tuple[str, ...]
    test: list[str]
    test_gold: Labels


def banking(data: Path, seeds: int, *, quick: bool) -> None:
    """Print the accuracy of linear students with and without the filters, by seed, and the exact tests."""
    bank = _bank(data)
    confusion = _confusion(bank)
    for rate in (NOISE, 0.0):
        print(f"\n{data.name}, {rate:.0%} of the teacher's answers wrong: accuracy on the test set against gold")
        print(
            f"{'seed':>6}{'all':>9}{'filtered':>10}{'difference':>12}{'left out':>10}{'of them wrong':>15}"
            f"{'of the wrong':>14}"
        )
        pairs = [_pair(bank, confusion, rate, seed, quick=quick) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
        differences = np.array([after - before for before, after in pairs])
        print(
            f"{'mean':>6}{np.mean([a for a, _ in pairs]):9.4f}{np.mean([b for _, b in pairs]):10.4f}"
            f"{differences.mean():+12.4f}"
        )
        _tests(differences)


def _bank(data: Path) -> Bank:
    train, test = (_read(data / f"{name}.jsonl.gz") for name in ("train", "test"))
    labels = tuple(sorted({label for _, label in train}))
    place = {label: i for i, label in enumerate(labels)}
    rows = [
        Example(prompt_id=f"p{i}", unit=f"u{i}", split="train", input=text, answer=label)  # type: ignore[arg-type]  # ids are texts
        for i, (text, label) in enumerate(train)
    ]
    return Bank(
        tables.frame(rows, Example),
        np.array([place[label] for _, label in train]),
        labels,
        [text for text, _ in test],
        np.array([place[label] for _, label in test]),
    )


def _read(file: Path) -> list[tuple[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [(row["text"], row["intent"]) for row in map(json.loads, lines)]


def _confusion(bank: Bank) -> NDArray[np.float64]:
    """Return for each label the shares in which a model takes it for the others, out of fold, on clean labels."""
    chances, _ = out_of_fold(Linear(penalty=PENALTY), bank.examples, bank.examples, bank.labels, 5)
    believed = calibrated(chances, np.arange(len(bank.gold)), bank.gold)
    table = np.array([believed[bank.gold == label].mean(axis=0) for label in range(len(bank.labels))])
    np.fill_diagonal(table, 0)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _pair(bank: Bank, confusion: NDArray[np.float64], rate: float, seed: int, *, quick: bool) -> tuple[float, float]:
    """Return the test accuracy without and with the filters, and print them."""
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(bank.gold))[: int(len(bank.gold) * (0.2 if quick else 0.9))])
    gold = bank.gold[drawn]
    said = gold.copy()
    for at in np.flatnonzero(rng.random(len(said)) < rate):
        said[at] = rng.choice(len(bank.labels), p=confusion[said[at]])
    names = np.array(bank.labels)
    splits = ["tune" if draw("tune", name) < 0.1 else "train" for name in bank.examples[drawn]["prompt_id"]]
    taught = bank.examples[drawn].with_columns(answer=pl.Series(names[said]), split=pl.Series(splits))
    kept = taught["prompt_id"].is_in(_kept(taught, bank.labels).implode()).to_numpy()
    wrong, out = said != gold, ~kept
    before, after = _accuracy(bank, taught), _accuracy(bank, taught.filter(pl.Series(kept)))
    print(
        f"{seed:6}{before:9.4f}{after:10.4f}{after - before:+12.4f}{out.mean():10.1%}"
        f"{wrong[out].mean() if out.any() else 0:15.1%}{(wrong & out).sum() / max(1, wrong.sum()):14.1%}",
        flush=True,
    )
    return before, after


def _kept(taught: pl.DataFrame, labels: tuple[str, ...]) -> pl.Series:
    """Return the prompts that the filters leave when nothing can be bought."""
    judged = taught.with_columns(source=pl.lit("log"), rule=pl.lit(None, pl.String), logprob=pl.lit(None, pl.Float64))
    weighed = doubt.weigh(judged, opinion(Linear(penalty=PENALTY), taught, taught, labels))
    nobody = pl.DataFrame(schema={"prompt_id": pl.String, "cap": pl.Int64})
    standing = settle.standing(weighed, nobody, doubt.doubted(weighed, taught, 0.25))
    silent = pl.DataFrame(schema={"prompt_id": pl.String, "confirmed": pl.Boolean})
    return settle.fates(standing, silent).filter(pl.col("answer").is_not_null())["prompt_id"]


def _accuracy(bank: Bank, taught: pl.DataFrame) -> float:
    train, tune = (taught.filter(pl.col("split") == split) for split in ("train", "tune"))
    student = Linear().fit(Train(train), Tune(tune), bank.labels, 0)
    return float((student.probabilities(bank.test).argmax(axis=1) == bank.test_gold).mean())


def _tests(differences: NDArray[np.float64]) -> None:
    """Print both exact tests, each one-sided: the filters help, the filters harm."""
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    for title, sign in (("better", 1), ("worse", -1)):
        wins = better if sign > 0 else worse
        signs = binomtest(wins, better + worse, 0.5, alternative="greater").pvalue if better + worse else 1.0
        print(
            f"  {title} with the filters in {wins} of {len(differences)} seeds: sign test p = {signs:.4f}, "
            f"Wilcoxon's signed ranks p = {_signed_ranks(sign * differences):.4f}"
        )


def _signed_ranks(differences: NDArray[np.float64]) -> float:
    """Return the exact one-sided p of Wilcoxon's signed ranks, by all ways to give the signs; ties share their rank."""
    from scipy.stats import rankdata

    found = differences[differences != 0]
    if not found.size:
        return 1.0
    ranks = rankdata(np.abs(found))
    seen = ranks[found > 0].sum()
    ways = _all_signs(len(found)) @ ranks
    return float((ways >= seen - 1e-9).mean())


def _all_signs(n: int) -> NDArray[np.float64]:
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def main(arguments: Iterable[str] | None = None) -> None:
    """Print both halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three seeds, a fifth of Banking77")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "banking77")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    helpdesk(3 if options.quick else 10)
    banking(options.data, 3 if options.quick else 10, quick=options.quick)


if __name__ == "__main__":
    main()
