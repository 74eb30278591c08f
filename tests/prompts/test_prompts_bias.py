"""A biased prompt set is caught on the help desk's own log, and what was bent is named; honest ones pass."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from overproof.core.types import Match, MatchRow
from overproof.prompts import match as matching
from overproof.prompts.build import PromptSet, build
from overproof.prompts.match import dimensions, rows, values_of
from overproof.prompts.options import PromptsOptions, SliceOptions
from overproof.prompts.tell_apart import one_hot
from overproof.prompts.windows import drawn
from overproof.tasks.classify import Classify
from overproof.tasks.options import TaskOptions

CONTRACT = tomllib.loads((files("overproof.demo") / "overproof.toml").read_text("utf-8"))
LABELS = tuple(CONTRACT["task"]["labels"])
SLICES = [SliceOptions(**each) for each in CONTRACT["slices"]]
TASK = Classify(labels=LABELS)

DRAWS = 200
MOST_FALSE_ALARMS = int(binom.ppf(0.99, DRAWS, 0.05))
"""More than so many of 200 honest draws would be flagged, at 5 % each, in less than 1 % of such tests: 18."""


def built(exchanges: pl.DataFrame) -> PromptSet:
    """Return the demo's prompt set, its labels and slices those of the demo's contract."""
    task = TaskOptions(name="triage", where="app = 'triage'")
    return build(exchanges, task, frozenset({"tern-large"}), PromptsOptions(), SLICES, read=TASK.read)


@pytest.fixture(scope="module")
def honest(helpdesk: pl.DataFrame) -> PromptSet:
    return built(helpdesk)


def is_older(honest: PromptSet) -> pl.Expr:
    """Say of an exchange whether it lies in the training window."""
    assert honest.summary.cut_at is not None
    return pl.col("at") < honest.summary.cut_at


def named(found: Match) -> dict[str, tuple[str, ...]]:
    """Return what is flagged, and the values named there."""
    return {row.dimension: row.moved for row in found.rows if row.flagged}


def test_the_log_as_it_is_flags_nothing(honest: PromptSet) -> None:
    assert named(honest.match) == {}


def test_a_prompt_set_without_german_is_flagged_and_german_is_named_first(
    helpdesk: pl.DataFrame, honest: PromptSet
) -> None:
    german = pl.col("metadata").str.json_path_match("$.language") == "de"
    found = named(built(helpdesk.filter(~(is_older(honest) & german))).match)

    assert found["language"][0] == "de"
    assert found["slice"][0] == "german + not_english"
    assert "label" not in found


@pytest.mark.parametrize("label", ["billing_charge", "bug_report", "login_access"])
def test_a_doubled_label_is_flagged_and_named_alone(helpdesk: pl.DataFrame, honest: PromptSet, label: str) -> None:
    """Each is about a tenth of the traffic; of labels half as frequent, this log is too short to tell for certain."""
    said = pl.Series([TASK.read(answer).answer for answer in helpdesk["answer"]])
    triage = pl.col("metadata").str.json_path_match("$.app") == "triage"
    again = helpdesk.filter(is_older(honest) & triage & (said == label)).with_columns(id="again " + pl.col("id"))
    found = named(built(pl.concat([helpdesk, again]).sort("at")).match)

    assert found == {"label": (label,)}


def labelled(honest: PromptSet, helpdesk: pl.DataFrame) -> pl.DataFrame:
    """Return the requests with the teacher's answers to them."""
    requests = honest.requests.join(helpdesk.select("id", said="answer"), on="id", how="left", maintain_order="left")
    read = [
        TASK.read(text).answer if by_teacher else None for text, by_teacher in requests["said", "by_teacher"].rows()
    ]
    return requests.with_columns(label=pl.Series(read, dtype=pl.String))


def test_honest_draws_are_flagged_no_more_often_than_is_said(
    helpdesk: pl.DataFrame, honest: PromptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nominal: 5 % of draws are flagged along any dimension, or name any value. Each deals the log's own units anew."""
    monkeypatch.setattr(matching, "PERMUTATIONS", 199)  # the level holds for any number of them
    requests = labelled(honest, helpdesk)
    table = dimensions(requests)
    found, values, units = one_hot(table), values_of(table), requests["unit"]

    def flags(seed: str) -> list[MatchRow]:
        live = (drawn(units, 0.5, seed) == "evaluation").to_numpy()
        return [row for row in rows(found, values, live, units, seed) if row.flagged]

    alarms = sum(bool(flags(f"draw {i}")) for i in range(DRAWS))

    assert {row.name for row in values} == {"slice", "label", "length", "language", "joint"}
    assert alarms <= MOST_FALSE_ALARMS


def in_time(seed: int, units: int) -> tuple[pl.DataFrame, np.ndarray, pl.Series]:
    """Return traffic whose units last a while, cut by time: values, which requests are live, units."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), np.minimum(rng.geometric(0.4, units), 14))
    at = rng.random(units)[unit] + rng.exponential(rng.choice([0.02, 0.3], units)[unit])
    kind, tongue = rng.integers(0, 8, units)[unit], rng.random(units)[unit] < 0.1
    table = pl.DataFrame({"label": kind.astype(str), "language": np.where(tongue, "de", "en")})
    joint = (table["label"] + table["language"]).alias("joint")
    return table.with_columns(joint), at > np.median(at), pl.Series("unit", unit).cast(pl.String)


def test_traffic_cut_by_time_is_flagged_no_more_often_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units that reach over the cut stand on both sides, as they do in every log."""
    monkeypatch.setattr(matching, "PERMUTATIONS", 199)
    alarms, reaching = 0, 0
    for seed in range(DRAWS):
        table, live, units = in_time(seed, 250)
        sides = pl.DataFrame({"unit": units, "live": live}).group_by("unit").agg(pl.col("live").n_unique())["live"]
        reaching += int((sides == 2).sum())
        alarms += any(row.flagged for row in rows(one_hot(table), values_of(table), live, units, str(seed)))

    assert reaching > 20 * DRAWS
    assert alarms <= MOST_FALSE_ALARMS
