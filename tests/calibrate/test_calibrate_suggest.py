"""Slices are suggested where a student really errs more often; in an honest world hardly ever, in a bad one surely."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from overproof.calibrate.suggest import LEVEL, suggest
from overproof.contract import parse as parse_contract
from overproof.core.splits import Calibrate, Test
from overproof.core.tables import TIME
from overproof.core.types import Suggestions
from overproof.core.where import parse
from overproof.tasks.classify import Classify

LABELS = ("billing", "login")
REGIONS = ("north", "south", "east", "west")
WORLDS = 240


class World:
    """Requests in units of heavy-tailed sizes: a unit shares most of its values, and its luck."""

    def __init__(self, seed: int, units: int = 500, *, rate: float = 0.12) -> None:
        self.rng = rng = np.random.default_rng(seed)
        sizes = np.minimum(rng.zipf(2.2, units), 60)
        self.unit = np.repeat(np.arange(units), sizes)
        n = len(self.unit)
        luck = rng.beta(0.5, 0.5 * (1 - rate) / rate, units)  # units are mostly all right or all wrong
        self.wrong = rng.random(n) < luck[self.unit]
        own = rng.random(n) < 0.1  # of these, a request's values are its own and not its unit's
        self.values = {
            "region": self._dealt(REGIONS, (0.4, 0.3, 0.2, 0.1), own),
            "tier": self._dealt(("free", "pro"), (0.8, 0.2), own),
            "app": self._dealt([f"app{i}" for i in range(20)], np.full(20, 0.05), own),
            "language": self._dealt(("en", "de", "fr", ""), (0.7, 0.15, 0.1, 0.05), own),
            "topic": self._dealt([f"topic {i}" for i in range(12)], np.full(12, 1 / 12), own),
        }
        self.length = np.where(own, rng.integers(1, 400, n), rng.integers(1, 400, units)[self.unit])
        self.slices = [["all", "new"] for _ in range(n)]
        self.reference = ["billing"] * n

    def _dealt(self, values: Any, shares: Any, own: np.ndarray) -> np.ndarray:  # noqa: ANN401 - any sequences
        shared = self.rng.choice(values, len(np.unique(self.unit)), p=shares)[self.unit]
        return np.where(own, self.rng.choice(values, len(own), p=shares), shared).astype(object)

    def looked_at(self) -> pl.DataFrame:
        texts = {name: pl.Series(values.tolist(), dtype=pl.String) for name, values in self.values.items()}
        return pl.DataFrame(texts | {"length": self.length})

    def suggest(self, **changed: Any) -> Suggestions:  # noqa: ANN401 - whatever a test changes
        n = len(self.unit)
        names = [f"r{i}" for i in range(n)]
        evidence = pl.DataFrame(
            {
                "request_id": names,
                "prompt_id": names,
                "unit": [f"u{i}" for i in self.unit],
                "slices": self.slices,
                "reference": pl.Series(self.reference, dtype=pl.String),
                "teacher": ["billing"] * n,
                "teacher_cost": [0.001] * n,
                "teacher_latency_ms": [400.0] * n,
                "at": pl.Series([None] * n, dtype=TIME),
            }
        )
        said = pl.DataFrame(
            {
                "prompt_id": names,
                "answer": ["login" if wrong else "billing" for wrong in self.wrong],
                "confidence": [0.9] * n,
                "cost_usd": [0.0] * n,
                "latency_ms": [0.1] * n,
            }
        )
        kind = changed.pop("kind", Calibrate)
        return suggest(
            kind(evidence),
            said,
            Classify(labels=LABELS),
            changed.pop("looked_at", self.looked_at()),
            **{"candidate": "words", "reference": "gold", "seed": "s", **changed},
        )


def bad(seed: int, name: str = "region", value: str = "east", *, more: float = 0.25) -> World:
    """Return a world in which one value errs more often."""
    world = World(seed)
    world.wrong |= (world.values[name] == value) & (world.rng.random(len(world.unit)) < more)
    return world


def test_in_honest_worlds_anything_is_suggested_no_more_often_than_said() -> None:
    found = [bool(World(seed, units=300).suggest().slices) for seed in range(WORLDS)]

    assert sum(found) <= binom.ppf(0.99, WORLDS, LEVEL)


def test_a_bad_slice_is_found_and_ranked_first() -> None:
    found = [bad(seed).suggest().slices for seed in range(40)]
    first = [each[0].where for each in found if each]

    assert first.count("region = 'east'") >= 36
    assert len(first) >= 36


def test_what_is_told_of_a_slice_is_counted_by_unit() -> None:
    world = bad(1)
    told = world.suggest().slices[0]
    inside = world.values["region"] == "east"

    assert told.requests == inside.sum()
    assert told.units <= len(np.unique(world.unit[inside]))
    assert told.error.kind == "exact"
    assert told.error.lower < told.error.value < told.error.upper
    assert told.error.value > told.rest.value
    assert told.units + told.rest.units == len(np.unique(world.unit))
    assert told.excess == pytest.approx(told.units / 500 * (told.error.value - told.rest.value))
    assert told.p_value <= LEVEL


def test_one_unit_that_asks_very_often_is_no_evidence() -> None:
    world = World(5, units=300)
    world.wrong[:] = False
    world.values["region"][world.unit == 0] = "alone"
    burst = np.append(world.unit, np.zeros(400, dtype=int))
    for name in world.values:
        world.values[name] = np.append(world.values[name], ["alone" if name == "region" else "en"] * 400)
    world.unit, world.wrong = burst, np.append(world.wrong, np.ones(400, dtype=bool))
    world.length = np.append(world.length, np.full(400, 10))
    world.slices += [["all", "new"]] * 400
    world.reference += ["billing"] * 400

    assert not world.suggest().slices


def test_what_is_a_slice_already_is_left_out() -> None:
    world = bad(2)
    inside = world.values["region"] == "east"
    nearly = inside & (np.arange(len(inside)) % 20 != 0)
    world.slices = [["all", "new", *(["eastern"] if each else [])] for each in nearly]

    assert "region = 'east'" not in {each.where for each in world.suggest().slices}


def test_what_lies_within_another_suggestion_is_left_out() -> None:
    world = bad(3)
    inside = world.values["region"] == "east"
    world.values["city"] = np.where(inside & (world.rng.random(len(inside)) < 0.7), "Oston", "elsewhere").astype(object)

    assert [each.where for each in world.suggest().slices] == ["region = 'east'"]


def test_lengths_are_looked_at_by_fifths() -> None:
    world = World(4)
    world.wrong |= (world.length > 330) & (world.rng.random(len(world.unit)) < 0.4)
    told = world.suggest().slices[0]
    where = parse(told.where)

    assert told.name.startswith("length over ")
    assert told.requests == sum(where.matches({"length": int(each)}) for each in world.length)
    assert 0.1 < told.requests / len(world.unit) < 0.3


@pytest.mark.parametrize(
    "value", ['it\'s "east"', "'; DROP TABLE x; --", "</code><script>alert(1)</script>", "\u202etsae", "a\nb", "ost %"]
)
def test_hostile_values_are_quoted_for_sql_and_toml(value: str) -> None:
    world = bad(1)
    world.values['the "region"'] = np.where(world.values["region"] == "east", value, "x").astype(object)
    del world.values["region"]
    told = world.suggest().slices[0]
    pasted = tomllib.loads(told.toml)["slices"][0]

    assert parse(told.where).names == {'the "region"'}
    assert parse(told.where).matches({'the "region"': value})
    assert pasted == {"name": told.name, "where": told.where, "critical": False}
    assert not set(told.name) & set("\n\"'<>\u202e")


def test_the_snippet_is_a_slice_of_a_contract() -> None:
    contract = """
        task = { name = "t", labels = ["a", "b"] }
        teacher = { model = "m" }
        logs = [{ path = "x" }]
        students = [{ kind = "linear" }, { kind = "linear", name = "b" }]
    """
    toml = "\n".join(each.toml for each in bad(1).suggest().slices)

    assert [each.where for each in parse_contract(f"{contract}\n{toml}".encode()).slices] == ["region = 'east'"]


def test_names_that_are_taken_are_not_taken_again() -> None:
    assert bad(1).suggest(names=["region east"]).slices[0].name == "region east (2)"


def test_columns_with_too_many_values_and_values_with_too_few_units_are_not_looked_at() -> None:
    world = World(6)
    few = world.suggest(looked_at=world.looked_at().select("tier"))
    world.values = {"id": np.array([f"v{i}" for i in range(len(world.unit))], dtype=object)}
    many = world.suggest(looked_at=world.looked_at().select("id"))

    assert few.looked_at == 2
    assert many.looked_at == 0
    assert not many.slices


def test_requests_without_a_right_answer_say_nothing() -> None:
    world = World(8)
    world.reference = [None if each == "east" else "billing" for each in world.values["region"]]  # type: ignore[misc]
    found = world.suggest()

    assert "region = 'east'" not in {each.where for each in found.slices}
    assert found.units < 500


def test_the_same_worlds_give_the_same_suggestions() -> None:
    assert bad(9).suggest() == bad(9).suggest()


def test_test_is_not_read() -> None:
    with pytest.raises(TypeError, match="may read calibrate only"):
        World(0).suggest(kind=Test)


def test_a_student_that_errs_never_has_no_bad_slice() -> None:
    world = World(0)
    world.wrong[:] = False

    assert not world.suggest().slices
