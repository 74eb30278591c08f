"""What a run promises, in one record: everything a candidate's system is held to."""

from __future__ import annotations

import msgspec

from overproof.core import chance
from overproof.core.types import Record, Reference
from overproof.evaluate.options import Bar, TargetOptions


class Promises(Record):
    """All conditions of a release, and how they are to be proven. Fixed before the test is read."""

    bars: tuple[Bar, ...] = ()
    alpha: float = 0.05
    """Tolerated error rate among the requests the student answers."""
    critical: tuple[str, ...] = ()
    """Slices in which `alpha` holds by itself."""
    min_saving: float = 0.10
    targets: TargetOptions = TargetOptions()
    reference: Reference
    confidence: float = 0.95
    """1 - delta of the whole decision."""
    n_max: int = 1
    """A unit counts for at most so many of its requests."""
    group: str | None = None
    """Metadata key whose values are the units, where the promises are for values never seen."""
    teacher_cap: float
    """Dollars one answer of the teacher can cost at most (price x `max_tokens`)."""
    own_cap: float = 0.0
    """Dollars one answer of the candidate itself can cost at most; replace it for each candidate."""
    seed: str = "overproof"
    """Names the hash behind the order of units and the one request drawn from each."""
    definitions: dict[str, str] = {}
    """What each named slice means (its `where`): to move a slice is to move its bar."""

    def digest(self) -> str:
        """Return what the ledger knows these promises by; caps bound costs, are no promises, and do not count."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if not name.endswith("_cap")}
        return chance.digest(chance.canonical(msgspec.to_builtins(fields)))
