"""How much each prompt's answer is doubted, and for which reason most.

Three witnesses, none of whom has seen gold, each with a chance that the answer is wrong: a cross-validated student
(`filters/opinion.py`); the prompt's own samples, of which a share says otherwise; and the teacher's log-probability
where the log has it, 1 - exp(sum), the chance by the teacher's own account that another sample would differ. They are
combined as if independent, 1 - Π(1 - chance): one witness is enough, several add up, and none can acquit. `doubt` is
the likely chance, `at_least` the one with what can be shown of the student's witness; the first says where to ask, the
second what to leave out unasked. What a verifier says comes later, and decides (`filters/settle.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from overproof.filters.agreement import ballots, tally
from overproof.filters.opinion import Opinion

FLOOR: Final = 0.02
"""Below one in fifty an answer is not doubted: asking again would find next to nothing."""
STUDENT: Final = "a student of the other answers says otherwise"
SAMPLES: Final = "its samples disagree"
UNSURE: Final = "the teacher was unsure"
"""Reasons, as they are counted and shown."""
SHOWN: Final = "at least"


def weigh(judged: pl.DataFrame, opinion: Opinion) -> pl.DataFrame:
    """Return the doubt about what leads each vote, one row for each prompt with an accepted answer.

    Columns `prompt_id`, `leader`, `top`, `samples`, `answers` and `counts` as from `agreement.tally`; `doubt` and
    `at_least`, chances that the leader is wrong; `because`, the reason that weighs most.
    """
    voices = ballots(judged)
    counted = tally(voices)
    own = voices.join(counted.select("prompt_id", "leader"), on="prompt_id", maintain_order="left")
    sure = own.filter(pl.col("answer") == pl.col("leader")).group_by("prompt_id").agg(pl.col("logprob").exp().mean())
    likely, least = opinion.of(counted["prompt_id"].to_list(), counted["leader"].to_list())
    weighed = counted.join(sure, on="prompt_id", how="left", maintain_order="left").with_columns(
        pl.Series(STUDENT, likely, dtype=pl.Float64),
        pl.Series(SHOWN, least, dtype=pl.Float64),
        (1 - pl.col("top") / pl.col("samples")).alias(SAMPLES),
        (1 - pl.col("logprob")).clip(0, 1).fill_null(0.0).alias(UNSURE),
    )
    reasons = (STUDENT, SAMPLES, UNSURE)
    heaviest = pl.concat_list(reasons).list.arg_max()
    return weighed.select(
        *counted.columns,
        _together(STUDENT, SAMPLES, UNSURE).alias("doubt"),
        _together(SHOWN, SAMPLES, UNSURE).alias("at_least"),
        heaviest.replace_strict(range(len(reasons)), reasons, return_dtype=pl.String).alias("because"),
    )


def _together(*witnesses: str) -> pl.Expr:
    return 1 - pl.reduce(lambda left, right: left * right, [1 - pl.col(name) for name in witnesses])


def doubted(weighed: pl.DataFrame, dealt: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return the rows of `weighed` that are really doubted, the most doubted first, of all prompts at most `share`."""
    weights = dealt.select("prompt_id", "weight")
    really = weighed.filter(pl.col("doubt") >= FLOOR).join(weights, on="prompt_id", maintain_order="left")
    order = really.sort("doubt", "weight", "prompt_id", descending=[True, True, False])
    return order.head(round(share * dealt.height)).drop("weight")
