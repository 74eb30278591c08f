"""What a student should say to each example, as chances over the labels."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core.errors import UserError


def soft_labels(examples: pl.DataFrame, labels: tuple[str, ...]) -> NDArray[np.float32]:
    """Return shape (examples, labels), rows summing to 1: the votes where there are any, else all on the answer.

    Votes for what is not a label (an answer that could not be read) say nothing; the others share their place.

    Raises:
        UserError: an example's answer is not one of `labels`.
    """
    column = {label: at for at, label in enumerate(labels)}
    answers = examples["answer"].to_list()
    stray = next((row for row, answer in enumerate(answers) if answer not in column), None)
    if stray is not None:
        raise UserError(
            f"the example of prompt {examples['prompt_id'][stray]!r} has the answer {answers[stray]!r}, "
            f"which is not one of task.labels: keep the filter `label_set`, or add the label"
        )
    chances = np.zeros((len(answers), len(labels)), dtype=np.float32)
    chances[np.arange(len(answers)), [column[answer] for answer in answers]] = 1
    for row, text in enumerate(examples["votes"].to_list()):
        if text == "{}":
            continue
        votes = msgspec.json.decode(text, type=dict[str, float])
        known = {column[label]: share for label, share in votes.items() if label in column and share > 0}
        if known:
            chances[row] = 0
            chances[row, list(known)] = np.fromiter(known.values(), dtype=np.float64) / sum(known.values())
    return chances
