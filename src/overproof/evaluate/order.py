"""Order candidates by their chance to prove everything, on `calibrate`; the test is then read in that order.

The same conditions as in `evaluate`, each with its margin in standard errors; the smallest is the candidate's. Margins
are asymptotic and decide nothing but the order, which is why they may be.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from overproof.core.protocols import Task
from overproof.core.splits import Calibrate, only
from overproof.core.types import Calibration
from overproof.evaluate.conditions import Conditions
from overproof.evaluate.evaluate import routed_by
from overproof.evaluate.promises import Promises
from overproof.tasks.scoring import Units


def margin(
    evidence: Calibrate, predictions: pl.DataFrame, calibration: Calibration, promises: Promises, task: Task
) -> float:
    """Return the smallest margin over all conditions of a release, in standard errors; -inf where one has no evidence.

    Optimistic about risk, for the threshold was chosen on the same requests: good enough to order by.
    """
    routed = routed_by(only(Calibrate, evidence).frame, predictions, calibration, task)
    units = Units.of(routed, promises.seed)
    return min(
        each.claim.margin() for each in Conditions(routed, units, promises, calibration.always_teacher).required()
    )


def ordered(margins: Mapping[str, float]) -> tuple[str, ...]:
    """Return candidates by margin, largest first; equal ones by name, so that a re-run tests them in the same order."""
    return tuple(sorted(margins, key=lambda name: (-margins[name], name)))
