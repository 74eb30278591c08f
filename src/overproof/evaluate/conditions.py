"""From promises and routed requests to conditions: each promise, with the evidence it will be held against.

Which conditions there are follows from the promises and the calibration alone, never from the scores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.evaluate.claims import AtLeast, Claim, MeanAtMost, P95AtMost, RateAtMost, Saves, Within
from overproof.evaluate.options import Bar
from overproof.evaluate.promises import Promises
from overproof.tasks.scoring import Units

Subject = Literal["system", "student"]


@dataclass(frozen=True)
class Condition:
    """A promise about one slice."""

    condition: Literal["bar", "risk", "saving", "latency", "cost"]
    slice: str
    metric: str
    subject: Subject
    claim: Claim
    n_max: int = 1
    capped: float = 0.0
    worst_case: int = 0
    required: bool = True


class Conditions:
    """Builds the conditions of one candidate."""

    def __init__(self, routed: pl.DataFrame, units: Units, promises: Promises, always_teacher: Collection[str]) -> None:
        self.routed = routed
        self.units = units
        self.promises = promises
        self.always_teacher = always_teacher
        self._missing = routed["reference"].is_null().to_numpy()

    def all(self) -> tuple[Condition, ...]:
        """Return every condition: those a release needs, and beside them the bars for the student alone."""
        return (*self.required(), *self._beside())

    def required(self) -> tuple[Condition, ...]:
        """Return the conditions of a release, all of which must be proven."""
        return tuple(each for each in self._release() if each.required)

    def _release(self) -> Iterator[Condition]:
        for bar in self.promises.bars:
            yield self._bar(bar, "system")
        for name in dict.fromkeys(("all", *self.promises.critical)):
            yield self._risk(name)
        yield self._saving()
        yield from self._targets()

    def _beside(self) -> Iterator[Condition]:
        for each in self._release():
            if not each.required:
                yield each
        for bar in self.promises.bars:
            yield self._bar(bar, "student")

    def _bar(self, bar: Bar, subject: Subject) -> Condition:
        claim: Claim
        metric: str = bar.metric
        if bar.within is None:
            scores, counts = self.units.means(self._column(subject), bar.slice)
            assert bar.at_least is not None  # the contract holds that one of the two is there
            claim = AtLeast(scores, counts, self.promises.n_max, bar.at_least)
        else:
            difference, counts = self.units.means(self._difference(subject), bar.slice)
            claim = Within(difference, counts, self.promises.n_max, bar.within)
            metric = f"{bar.metric}_minus_teacher"
        return self._condition("bar", bar.slice, metric, claim, subject, weighted=True, required=subject == "system")

    def _difference(self, subject: Subject) -> NDArray[np.float64]:
        """Student's score minus teacher's: without a reference as if the teacher were right, -1."""
        if subject == "system":
            return self._column("difference")
        return np.where(self._missing, -1.0, self._column("student") - self._column("teacher_score"))

    def _risk(self, name: str) -> Condition:
        """Error rate among the answered; a slice left to the teacher has none, and nothing to prove."""
        drawn = self.units.drawn(name)
        answered = drawn[self._column("answered")[drawn]]
        wrong = int((self._column("student")[answered] < 1.0).sum())
        claim = RateAtMost(wrong, len(answered), len(drawn), self.promises.alpha)
        required = name not in self.always_teacher
        return self._condition("risk", name, "error_among_answered", claim, "system", required=required)

    def _saving(self) -> Condition:
        teacher, counts = self.units.means(self._column("teacher_cost"), "all")
        system, _ = self.units.means(self._column("system_cost"), "all")
        promises = self.promises
        claim = Saves(
            teacher, system, counts, promises.n_max, promises.min_saving, promises.teacher_cap, promises.own_cap
        )
        return self._condition("saving", "all", "saved_share", claim, "system", weighted=True)

    def _targets(self) -> Iterator[Condition]:
        targets = self.promises.targets
        if targets.latency_p95_ms is not None:
            drawn = self.units.drawn("all")
            answered = drawn[self._column("answered")[drawn]]
            took = self.routed["own_latency_ms"].fill_null(np.inf).to_numpy()[answered]
            slow = P95AtMost(took, len(drawn), targets.latency_p95_ms)
            yield self._condition("latency", "all", "latency_p95_ms", slow, "system")
        if targets.cost_per_1k is not None:
            system, counts = self.units.means(1000.0 * self._column("system_cost"), "all")
            cap = 1000.0 * (self.promises.teacher_cap + self.promises.own_cap)
            cost = MeanAtMost(system, counts, self.promises.n_max, targets.cost_per_1k, cap)
            yield self._condition("cost", "all", "cost_per_1k", cost, "system", weighted=True)

    def _column(self, name: str) -> NDArray[np.float64]:
        return self.routed[name].to_numpy()

    def _condition(
        self,
        condition: Literal["bar", "risk", "saving", "latency", "cost"],
        slice_: str,
        metric: str,
        claim: Claim,
        subject: Subject,
        *,
        weighted: bool = False,
        required: bool = True,
    ) -> Condition:
        inside = self.units.mask(slice_)
        return Condition(
            condition=condition,
            slice=slice_,
            metric=metric,
            subject=subject,
            claim=claim,
            n_max=self.promises.n_max if weighted else 1,
            capped=_capped(self.units, slice_, self.promises.n_max) if weighted else 0.0,
            worst_case=int((self._missing & inside).sum()) if condition in ("bar", "risk") else 0,
            required=required,
        )


def _capped(units: Units, slice_: str, n_max: int) -> float:
    _, counts = units.means(units.place, slice_)
    total = float(counts.sum())
    return float(np.maximum(counts - n_max, 0).sum()) / total if total else 0.0
