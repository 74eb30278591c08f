"""Fit a cheap student on a sample, in seconds, and see what it could serve at the default risk."""

from __future__ import annotations

import numpy as np
import polars as pl

from overproof.core import tables
from overproof.core.chance import draws
from overproof.core.errors import NotEnoughData
from overproof.core.protocols import StudentKind
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, PromptId, UnitId
from overproof.discovery.measure import WHOLE, Cluster
from overproof.discovery.records import Probe, rate
from overproof.proof import binomial, thresholds
from overproof.tasks.classify import Classify

SAMPLE = 4_000
"""Calls drawn, at most."""
SHARES = {"train": 0.5, "tune": 0.1, "calibrate": 0.25, "test": 0.15}
"""Shares of the units: to learn from, to set the temperature, to find the threshold, to count what it serves."""


def probe(
    rows: pl.DataFrame,
    labels: tuple[str, ...],
    teacher: str,
    *,
    student: StudentKind,
    cluster: Cluster,
    alpha: float,
    confidence: float,
    seed: str,
) -> Probe | None:
    """Return what `student` would do, fitted on a sample of `rows`; None where the sample teaches nothing.

    Whole units (near-duplicates) are learned from or held out; of each unit held out one call counts, so the intervals
    are exact. The threshold comes from other units than those it is counted on.
    """
    sample = _sample(rows, labels, teacher, cluster)
    dealt = _dealt(sample, seed)
    parts = {name: dealt.filter(pl.col("split") == name) for name in SHARES}
    try:
        fitted = student.fit(Train(_examples(parts["train"])), Tune(_examples(parts["tune"])), labels, 0)
    except NotEnoughData:
        return None
    seen = {
        name: _answered(fitted.probabilities(part["input"].to_list()), labels, part["label"])
        for name, part in parts.items()
        if name != "train" and part.height
    }
    if "calibrate" not in seen or "test" not in seen:
        return None
    delta = 1 - confidence
    threshold = _threshold(seen["tune"][0] if "tune" in seen else np.zeros(0), *seen["calibrate"], alpha, delta)
    held = [np.concatenate([seen["calibrate"][i], seen["test"][i]]) for i in range(2)]
    sure, right = seen["test"]
    answered = sure >= threshold if threshold is not None else np.zeros(len(sure), dtype=bool)
    return Probe(
        calls=sample.height,
        units=sample["unit"].n_unique(),
        learned_from=parts["train"].height,
        agreement=rate(int(held[1].sum()), len(held[1])),
        served=None if threshold is None else rate(int(answered.sum()), len(answered)),
        error=None if threshold is None else rate(int((answered & ~right).sum()), int(answered.sum())),
        alpha=alpha,
        confidence=confidence,
        note=_note(len(seen["calibrate"][0]), threshold, alpha, delta),
    )


def _sample(rows: pl.DataFrame, labels: tuple[str, ...], teacher: str, cluster: Cluster) -> pl.DataFrame:
    """Return `id`, `input`, `label`, `unit` of calls drawn among those the teacher answered whole and readably."""
    usable = rows.filter(
        WHOLE & pl.col("answer").is_not_null() & (pl.col("model") == teacher) & (pl.col("input") != "")
    )
    drawn = usable.sort("place").head(SAMPLE)
    read = Classify(labels=labels).read_column(drawn["answer"]).answer.alias("label")
    drawn = drawn.select("id", "input", "place").with_columns(read).filter(pl.col("label").is_not_null())
    return drawn.with_columns(unit=pl.Series(cluster(drawn["input"])))


def _dealt(sample: pl.DataFrame, seed: str) -> pl.DataFrame:
    """Add `split`; outside train, one call of each unit stays: the one that was drawn first."""
    first = sample.group_by("unit").agg(pl.col("id").sort_by("place").first())
    place = pl.Series(draws(f"{seed}/probe", first["id"]), dtype=pl.Float64)
    ends = np.cumsum(list(SHARES.values()))[:-1]
    names = np.array(list(SHARES))[np.searchsorted(ends, place.to_numpy(), side="right")]
    dealt = sample.join(first.select("unit", first="id", split=pl.Series(names)), on="unit", how="left")
    return dealt.filter((pl.col("split") == "train") | (pl.col("id") == pl.col("first")))


def _examples(part: pl.DataFrame) -> pl.DataFrame:
    rows = part.select("id", "unit", "split", "input", "label").iter_rows()
    return tables.frame(
        (
            Example(prompt_id=PromptId(name), unit=UnitId(str(unit)), split=split, input=text, answer=label)
            for name, unit, split, text, label in rows
        ),
        Example,
    )


def _answered(chances: np.ndarray, labels: tuple[str, ...], right: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return how sure the student is of each answer, and whether it is the teacher's."""
    said = np.array(labels)[chances.argmax(axis=1)]
    return chances.max(axis=1).astype(np.float64), said == right.to_numpy()


def _threshold(tuned: np.ndarray, sure: np.ndarray, right: np.ndarray, alpha: float, delta: float) -> float | None:
    """Return the most lenient threshold at which the error rate is shown to be at most `alpha`; None for none."""
    least = binomial.least_units(alpha, delta / 2)
    grid = thresholds.grid_from_tune(tuned, len(sure), least=least)
    if not len(grid):
        return None
    p = thresholds.table(sure, right, np.zeros(len(sure), dtype=np.intp), grid, alpha)[0]
    expected = len(sure) * (tuned[:, None] >= grid).mean(axis=0)
    start = min(200, max(least, len(sure) / 2))
    safe = np.flatnonzero(thresholds.certified(p, delta, expected, start, least))
    return float(grid[safe[0]]) if len(safe) else None


def _note(units: int, threshold: float | None, alpha: float, delta: float) -> str:
    least = binomial.least_units(alpha, delta / 2)
    if threshold is not None:
        return ""
    if units < least:
        return f"{units} units are too few to show any threshold safe: it takes {least} without an error"
    return "no threshold could be shown safe on this sample; a larger student, or more data, may be"
