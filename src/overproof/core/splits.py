"""The four splits as four types: a function that may not read `test` cannot be handed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T", bound="Dealt")


@dataclass(frozen=True)
class Dealt:
    """A table of one split; never used itself, only its four kinds."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height


class Train(Dealt):
    """Examples students learn from."""


class Tune(Dealt):
    """Examples that fit what is chosen about a student: its size of penalty, its temperature, the threshold grid."""


class Calibrate(Dealt):
    """Evidence that sets the threshold and the order of the candidates."""


class Test(Dealt):
    """Evidence for the verdicts. Read once for each decision, by `evaluate` alone."""

    __test__ = False  # not a test case, whatever its name suggests to pytest


def only(kind: type[T], given: Dealt) -> T:
    """Return `given` if it is of `kind`; raise TypeError otherwise, for callers without a type checker."""
    if type(given) is not kind:
        raise TypeError(f"this may read {kind.__name__.lower()} only, and was handed {type(given).__name__.lower()}")
    return given
