"""What changed between two prompt sets: quiet on one traffic, loud where it changed, honest about units."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from overproof.prompts import difference as differing
from overproof.prompts.changes import Difference, Shift
from overproof.prompts.difference import difference
from overproof.prompts.effects import Side, cohen_h, interval, stability_index
from overproof.prompts.words import held, log_odds

WORDS = [f"word{i}" for i in range(400)]
CHANCE = 1 / np.arange(1, 401)


def traffic(
    seed: int,
    units: int = 250,
    *,
    late: float = 0.3,
    german: tuple[float, float] = (0.2, 0.2),
    new_word: float = 0.0,
    both: float = 0.1,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log of bursty requests, and the same log grown by a share `late` of the units; `both` of them ask in either.

    German is as frequent as `german` says, before and after; later units say "zebra" with chance `new_word`.
    """
    rng = np.random.default_rng(seed)
    later = rng.random(units) < late
    unit = np.repeat(np.arange(units), np.minimum(rng.geometric(0.5, units), 12))
    mixed = (rng.random(units) < both)[unit]
    side = np.where(mixed, rng.random(len(unit)) < late, later[unit])
    texts = [" ".join(rng.choice(WORDS, rng.integers(3, 15), p=CHANCE / CHANCE.sum())) for _ in range(units)]
    zebra = later & (rng.random(units) < new_word)
    speaks = np.where(rng.random(units) < np.where(later, german[1], german[0]), "de", "en")
    table = pl.DataFrame(
        {
            "input": [texts[i] + " zebra" * bool(zebra[i]) for i in unit],
            "prompt_id": [f"p{i}" for i in unit],
            "unit": [f"p{i}" for i in unit],
            "language": speaks[unit],
            "label": rng.choice(["x", "y", "z"], units)[unit],
            "metadata": [
                f'{{"tier":"{tier}","ticket":"{i}"}}' for i, tier in enumerate(rng.choice(["a", "b"], len(unit)))
            ],
            "late": side.astype(bool),
        }
    )
    slices = pl.when(pl.col("language") == "de").then(pl.lit(["all", "german"])).otherwise(pl.lit(["all"]))
    table = table.with_row_index("id").with_columns(
        pl.col("id").cast(pl.String), length=pl.col("input").str.len_chars().cast(pl.Int64), slices=slices
    )
    return table.filter(~pl.col("late")).drop("late"), table.drop("late")


def compared(seed: int, **changes: object) -> Difference:
    before, after = traffic(seed, **changes)  # type: ignore[arg-type]  # the options of traffic, each of its own type
    return difference(before, after, slices=["german"], seed=str(seed))


def flagged(found: Difference) -> set[str]:
    return {each.name for each in found.dimensions if each.flagged}


def value(found: Difference, dimension: str, name: str) -> Shift:
    chosen = next(each for each in found.dimensions if each.name == dimension)
    return next(each for each in chosen.values if each.value == name)


@pytest.mark.simulation
@pytest.mark.parametrize(("units", "late", "draws", "most"), [(250, 0.3, 200, 18), (400, 0.05, 100, 11)])
def test_honest_re_draws_name_nothing_95_times_in_a_hundred(units: int, late: float, draws: int, most: int) -> None:
    """Nominal: 5 % of such worlds are flagged anywhere at all, words included; by chance more than `most` in 1 %."""
    found = [compared(seed, units=units, late=late) for seed in range(draws)]

    assert sum(bool(flagged(each) or each.words) for each in found) <= most


def test_a_changed_mix_is_named_with_its_slice_its_value_and_its_size() -> None:
    found = compared(1, units=900, german=(0.1, 0.35))
    german = value(found, "slice", "german")

    assert {"slice", "language"} <= flagged(found)
    assert not flagged(found) & {"label", "metadata.tier"}
    assert german.beyond
    assert german.difference == pytest.approx(german.after - german.before)
    assert 0 < german.lower < german.difference < german.upper
    assert german.h > 0.3
    assert value(found, "language", "de").requests_after == german.requests_after


def test_a_word_that_came_up_is_named_and_no_other() -> None:
    found = compared(2, units=900, new_word=0.2, both=0.0)

    assert [each.word for each in found.words] == ["zebra"]
    zebra = found.words[0]
    assert (zebra.units_before, zebra.before) == (0, 0.0)
    assert 0.1 < zebra.after < 0.3
    assert 0 < zebra.lower < zebra.log_odds < zebra.upper


def test_growth_is_seen_undiluted_and_every_request_is_counted_once() -> None:
    before, after = traffic(3)
    found = difference(before, after.filter(pl.col("id").cast(pl.Int64) >= 20), slices=["german"])
    gone = before.filter(pl.col("id").cast(pl.Int64) < 20).height
    new = after.filter(pl.col("id").cast(pl.Int64) >= 20).join(before, on="id", how="anti")

    assert (found.requests_before, found.requests_after) == (before.height, new.height)
    assert (found.in_both, found.only_before) == (before.height - gone, gone)
    assert value(found, "language", "de").after == pytest.approx((new["language"] == "de").mean())


def test_what_names_things_is_no_dimension_and_what_differs_in_kind_is_one() -> None:
    names = {each.name for each in compared(4).dimensions}

    assert names == {"slice", "label", "length", "language", "metadata.tier", "word", "joint"}


def test_a_metadata_key_that_appears_is_a_change() -> None:
    before, after = traffic(5, late=0.4)
    old = before.with_columns(metadata=pl.lit('{"tier":"a"}'))
    fresh = after.join(before, on="id", how="anti").with_columns(metadata=pl.lit('{"tier":"a","beta":"on"}'))
    found = difference(old, pl.concat([old, fresh]))

    assert "metadata.beta" in flagged(found)
    assert value(found, "metadata.beta", "(none)").before == 1.0


def test_where_nothing_is_new_nothing_is_compared() -> None:
    before, after = traffic(6)
    found = difference(after, before)

    assert (found.requests_after, found.in_both, found.dimensions, found.words) == (0, before.height, (), ())


def test_slices_that_are_not_alike_are_left_out() -> None:
    before, after = traffic(7)

    assert "slice" not in {each.name for each in difference(before, after).dimensions}


def test_units_are_one_where_they_share_a_request_a_name_or_a_prompt() -> None:
    one = pl.DataFrame({"id": ["1", "2", "3"], "prompt_id": ["p", "q", "r"], "unit": ["a", "b", "c"]})
    other = pl.DataFrame({"id": ["1", "4", "5"], "prompt_id": ["p", "q", "s"], "unit": ["d", "e", "c"]})

    def parts(grouped: bool) -> set[frozenset[str]]:
        found = differing._units(one, other, grouped=grouped).group_by("component").agg("unit")["unit"]
        return {frozenset(each) for each in found}

    assert parts(grouped=False) == {frozenset("ad"), frozenset("be"), frozenset("c")}
    assert parts(grouped=True) == {frozenset("ad"), frozenset("b"), frozenset("e"), frozenset("c")}


def test_of_very_many_requests_whole_units_are_compared_on_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = traffic(8, 1200, german=(0.1, 0.4))
    monkeypatch.setattr(differing, "MOST", 500)
    found = difference(before, after, slices=["german"])

    assert (found.requests_before, found.requests_after) == (before.height, after.height - before.height)
    assert 350 < found.compared_before < 650
    assert 350 < found.compared_after < 650
    assert "slice" in flagged(found)


# --- effects ----------------------------------------------------------------------------------------------------------


def side(counts: list[list[int]], sizes: list[int]) -> Side:
    return Side(csr_array(np.array(counts, np.float64)), np.array(sizes, np.float64))


@st.composite
def sides(draw: st.DrawFn) -> tuple[Side, Side]:
    """Two sides over the same units, each counted for two values that add up to its size."""
    units = draw(st.integers(2, 8))
    made = []
    for _ in range(2):
        sizes = draw(st.lists(st.integers(0, 5), min_size=units, max_size=units).filter(any))
        first = [draw(st.integers(0, size)) for size in sizes]
        made.append(side([[a, size - a] for a, size in zip(first, sizes, strict=True)], sizes))
    return made[0], made[1]


@given(sides())
def test_an_interval_holds_what_was_seen_and_turns_with_the_sides(given_sides: tuple[Side, Side]) -> None:
    one, other = given_sides
    lower, upper = interval(one, other)
    back_lower, back_upper = interval(other, one)
    seen = other.shares - one.shares

    assert np.all((lower >= -1) & (lower <= seen + 1e-12) & (seen - 1e-12 <= upper) & (upper <= 1))
    assert np.allclose(back_lower, -upper)
    assert np.allclose(back_upper, -lower)
    assert np.allclose([lower[0], upper[0]], [-upper[1], -lower[1]])  # of two values one gains what the other loses


def test_with_one_request_in_every_unit_it_is_agresti_and_caffos() -> None:
    """Each unit on one side: 3 of 20 before, 9 of 25 after."""
    before = side([[1]] * 3 + [[0]] * 17 + [[0]] * 25, [1] * 20 + [0] * 25)
    after = side([[0]] * 20 + [[1]] * 9 + [[0]] * 16, [0] * 20 + [1] * 25)
    p, q = 4 / 22, 10 / 27
    error = 1.96 * math.sqrt(p * (1 - p) / 22 + q * (1 - q) / 27)

    lower, upper = interval(before, after)

    assert (lower[0], upper[0]) == (pytest.approx(q - p - error), pytest.approx(q - p + error))


@pytest.mark.simulation
@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.02, 0.05), (0.0, 0.01)])
def test_intervals_hold_the_truth_in_bursty_traffic(shares: tuple[float, float]) -> None:
    """Nominal 95 %; asymptotic, so two points are granted. Units repeat their value up to 12 times."""
    rng = np.random.default_rng(0)
    held_it = 0
    for _ in range(600):
        sizes = np.minimum(rng.geometric(0.5, 400), 12).astype(np.float64)
        late = np.arange(400) >= 200
        has = (rng.random(400) < np.where(late, shares[1], shares[0])) * sizes
        before, after = (Side(csr_array((has * here)[:, None]), sizes * here) for here in (~late, late))
        lower, upper = interval(before, after)
        held_it += lower[0] <= shares[1] - shares[0] <= upper[0]

    assert held_it >= 0.93 * 600


def test_effect_sizes_are_what_they_are_called() -> None:
    assert cohen_h(np.array([0.25]), np.array([0.75]))[0] == pytest.approx(math.pi / 3)
    assert stability_index(np.array([10.0, 30.0]), np.array([100.0, 301.0])) == pytest.approx(0, abs=1e-3)
    assert stability_index(np.array([100.0, 0.0]), np.array([50.0, 50.0])) > 0.25


# --- words ------------------------------------------------------------------------------------------------------------


def test_a_burst_makes_no_word_frequent() -> None:
    """One unit asks a thousand times, twelve ask once: each counts as one."""
    inputs = pl.Series(["loud"] * 1000 + ["calm loud"] * 12)
    unit = pl.Series(["u"] * 1000 + [f"v{i}" for i in range(12)])
    found = held(inputs, unit, pl.Series([False] * 1012))

    assert found.words.to_list() == ["calm", "loud"]
    assert found.found.sum(axis=0).tolist() == pytest.approx([12.0, 13.0])
    assert found.parts.tolist() == [[12, 0], [13, 0]]


def test_rare_words_are_left_out_and_scripts_without_spaces_count_characters() -> None:
    inputs = pl.Series(["配送 once"] + ["配達"] * 12)
    found = held(inputs, pl.Series([f"u{i}" for i in range(13)]), pl.Series([False] * 13))

    assert found.words.to_list() == ["達", "配"]


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=1, max_size=8))
def test_log_odds_turn_with_the_sides(counts: list[tuple[int, int]]) -> None:
    before, after = (np.array(each, np.float64) for each in zip(*[*counts, (1000, 1000)], strict=True))
    ratio, error = log_odds(before, after)
    back, _ = log_odds(after, before)

    assert np.allclose(ratio, -back)
    assert np.all(error > 0)


def test_the_same_ratio_weighs_more_with_more_behind_it() -> None:
    ratio, error = log_odds(np.array([4.0, 400.0, 5000.0]), np.array([8.0, 800.0, 5000.0]))

    assert 0 < ratio[0] < ratio[1] + 0.2
    assert ratio[0] / error[0] < ratio[1] / error[1]
