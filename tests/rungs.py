"""The rungs that read with an encoder, fitted on the small lessons with a tiny one.

python rungs.py HOME SCRATCH KIND FOLDER fits one and saves it; python rungs.py FOLDER KIND prints what a saved one
says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from lessons import LABELS, TAUGHT, TUNED_ON, train, tune
from overproof.core.protocols import Student, StudentKind, Workshop
from overproof.students.cascade import Cascade
from overproof.students.encoder import EncoderKind
from overproof.students.linear import Linear
from overproof.students.static import Static

KINDS: Mapping[str, StudentKind] = {
    "static": Static(model="tiny"),
    "encoder": EncoderKind(model="tiny"),
    "cascade": Cascade(of=("linear-words", "encoder")),
}
TEXTS = [
    *(text for text, _ in TAUGHT + TUNED_ON),
    "",
    "never seen parcells",
    "Schließung für übermorgen 退款 👍",
    "a \ud800 b",
]


def fit(name: str, home: Path, scratch: Path) -> Student:
    """Return the rung called `name`, fitted on the small lessons with the encoder "tiny" in `home`."""
    workshop = Workshop(scratch, home)
    if name != "cascade":
        return KINDS[name].fit(train(), tune(), LABELS, 0, workshop)
    parts = Linear().fit(train(), tune(), LABELS, 0), fit("encoder", home, scratch)
    return cast("Cascade", KINDS[name]).combine(parts, ["linear", "encoder"], tune())


def said(student: Student) -> str:
    """Return all that `student` says to `TEXTS`, to the last bit."""
    return student.probabilities(TEXTS).tobytes().hex() + student.novelty(TEXTS).tobytes().hex()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        fit(sys.argv[3], Path(sys.argv[1]), Path(sys.argv[2])).save(Path(sys.argv[4]))
    else:
        print(said(KINDS[sys.argv[2]].load(Path(sys.argv[1]))))  # noqa: T201 - its output is what is asked for
