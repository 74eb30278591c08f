"""The match report: quiet where both sides are one traffic, loud where they are not, honest about its doubt."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.types import Match
from overproof.prompts import match as matching
from overproof.prompts.match import match
from overproof.prompts.tell_apart import NOTHING, _auc, one_hot, tell_apart

WORDS = [f"word{i}" for i in range(300)]


def traffic(
    seed: int, units: int, live: np.ndarray | None = None, german: tuple[float, float] = (0.2, 0.2), first_word: int = 0
) -> pl.DataFrame:
    """Bursty requests: each unit repeats one text up to 12 times, on one side unless `live` says otherwise.

    On the live side German is as frequent as `german[1]`, and words begin at `first_word`.
    """
    rng = np.random.default_rng(seed)
    side = rng.random(units) < 0.5 if live is None else live
    unit = np.repeat(np.arange(units), np.minimum(rng.geometric(0.5, units), 12))
    first = np.where(side, first_word, 0)
    texts = [" ".join(WORDS[start + i] for i in rng.integers(0, 200, rng.integers(3, 20))) for start in first]
    german_unit = rng.random(units) < np.where(side, german[1], german[0])
    requests = pl.DataFrame(
        {
            "input": [texts[i] for i in unit],
            "unit": [f"u{i}" for i in unit],
            "language": ["de" if german_unit[i] else "en" for i in unit],
            "window": ["evaluation" if side[i] else "training" for i in unit],
            "split": ["test" if side[i] else "train" for i in unit],
        }
    )
    slices = pl.when(pl.col("language") == "de").then(pl.lit("german")).otherwise(pl.lit("new"))
    return requests.with_row_index("id").with_columns(
        pl.col("id").cast(pl.String),
        length=pl.col("input").str.len_chars().cast(pl.Int64),
        slices=pl.concat_list(pl.lit("all"), slices),
    )


def flagged(found: Match) -> set[str]:
    return {row.dimension for row in found.rows if row.flagged}


def test_one_traffic_is_rarely_flagged_and_its_auc_interval_holds_a_half() -> None:
    """Nominal: 5 % of such worlds are flagged along any dimension at all, and 5 % of the intervals miss."""
    found = [match(traffic(seed, 250), None, str(seed)) for seed in range(200)]
    flags = sum(bool(flagged(each)) for each in found)
    missed = sum(not each.auc_lower <= 0.5 <= each.auc_upper for each in found)

    assert flags <= 18  # of 200: by chance more in 1 % of such tests
    assert missed <= 20  # the half split misses a little more often than it says at this size


def test_a_changed_mix_is_flagged_where_it_changed() -> None:
    found = match(traffic(1, 600, german=(0.1, 0.35)), None, "seed")
    language = next(row for row in found.rows if row.dimension == "language")

    assert {"language", "slice"} <= flagged(found)
    assert "length" not in flagged(found)
    assert language.total_variation == pytest.approx(language.live["de"] - language.prompt_set["de"])
    assert found.auc_lower > 0.5


def test_changed_words_are_told_apart_though_every_share_is_the_same() -> None:
    found = match(traffic(2, 400, first_word=60), None, "seed")

    assert found.auc_lower > 0.7
    assert "language" not in flagged(found)


def test_repeats_are_not_recognised_by_heart() -> None:
    """Each unit stands on one side with its copies: were copies in both halves, the AUC would be near 1."""
    found = [match(traffic(seed, 120), None, "seed").auc for seed in range(20)]

    assert 0.4 < np.mean(found) < 0.6


def test_labels_are_compared_where_they_are_known() -> None:
    requests = traffic(3, 300)
    side = requests.select(pl.when(pl.int_range(pl.len()) % 3 > 0).then("window"))["window"]
    found = match(requests, side, "seed")
    label = next(row for row in found.rows if row.dimension == "label")

    assert label.total_variation == 1.0
    assert label.flagged
    assert label.live == {"evaluation": 1.0, "training": 0.0}
    assert "label" not in {row.dimension for row in match(requests, None, "seed").rows}


def test_the_joint_dimension_crosses_the_others_and_shows_no_shares() -> None:
    joint = match(traffic(4, 100), None, "seed").rows[-1]

    assert joint.dimension == "joint"
    assert joint.live == joint.prompt_set == {}


def test_the_same_seed_gives_the_same_report() -> None:
    requests = traffic(5, 100)

    assert match(requests, None, "seed") == match(requests, None, "seed")


@pytest.mark.parametrize("side", [True, False])
def test_with_one_side_only_nothing_is_said(side: bool) -> None:
    found = match(traffic(6, 50, live=np.full(50, side)), None, "seed")

    assert found.rows == ()
    assert (found.auc, found.auc_lower, found.auc_upper) == (0.5, 0.0, 1.0)
    assert found.live_requests == 0 or found.prompt_set_requests == 0


def test_too_few_units_tell_nothing_however_many_requests() -> None:
    few = pl.Series(["a"] * 500 + ["b"] * 500)

    assert tell_apart(few, pl.DataFrame({"x": few}), few == "a", few, "seed") == NOTHING


@settings(deadline=None)  # the first example imports and builds tables
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=15))
def test_the_auc_is_the_share_of_pairs_ranked_right(scored: list[tuple[int, bool]]) -> None:
    score, side = np.array([float(s) for s, _ in scored]), np.array([b for _, b in scored])
    if side.all() or not side.any():
        return
    auc, influence = _auc(score, side)

    pairs = [(a > b) + (a == b) / 2 for a, b in product(score[side], score[~side])]
    assert auc == pytest.approx(np.mean(pairs))
    assert influence.sum() == pytest.approx(0, abs=1e-9)


def test_one_hot_columns_follow_the_values_in_order_and_leave_out_nulls() -> None:
    values = pl.DataFrame({"a": ["y", "x", None], "b": ["z", "z", "w"]})

    assert one_hot(values).toarray().tolist() == [[0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0]]


def test_of_very_many_requests_whole_units_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = traffic(7, 900, german=(0.1, 0.35))
    monkeypatch.setattr(matching, "MOST", requests.height // 2)
    drawn = matching._drawn(requests, "seed")
    found = match(requests, None, "seed")

    assert found.prompt_set_requests + found.live_requests == drawn.height
    assert 0.4 < drawn.height / requests.height < 0.6
    assert requests.filter(pl.col("unit").is_in(drawn["unit"].unique().implode())).height == drawn.height
    assert "slice" in flagged(found)
