"""Votes: what several samples of one prompt say together.

**When a vote is settled.** The leader has two voices, and three more for each voice against it (`settled`). A teacher's
samples are not independent: a prompt that misleads it once misleads it again, so the textbook rule, whoever is two
ahead (Wald's sequential test of a fair coin, 1945), settles on mistakes. Asking again *finds* doubt better than it
removes it: two that agree settle a vote, one dissent among five does not.

**When asking goes on** (`open_votes`). One more answer at a time, until the vote is settled, the cap is reached, or the
cap can no longer settle it. Where a verifier is to be shown the leader, it goes on until there is one, two ahead.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from overproof.core.chance import canonical

AHEAD: Final = 2
"""Voices that settle a vote nobody contradicts."""
OUTVOTED: Final = 3
"""Further voices it takes for each one against."""


def ballots(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the answers that have a voice: those accepted, repeats in the log that all say the same once.

    Most logs are made at temperature 0, where saying it again is no second opinion; repeats that differ show that the
    teacher wavers, and all count. `judged` has the columns of `sift.judge`.
    """
    logged = pl.col("source") == "log"
    alike = pl.col("answer").filter(logged).n_unique().over("prompt_id") == 1
    again = logged & (logged.cum_sum().over("prompt_id") > 1)
    return judged.filter(pl.col("rule").is_null()).filter(~(alike & again))


def tally(ballots: pl.DataFrame) -> pl.DataFrame:
    """Count the voices of each prompt.

    `ballots` has columns `prompt_id` and `answer`, one row a voice. Returns one row a prompt, in order of first
    appearance: `prompt_id`; `leader`, the answer given most often (of equals the one given first); `top`, its voices;
    `samples`, all voices; `answers` and `counts`, lists in alphabetical order.
    """
    counts = ballots.group_by("prompt_id", "answer", maintain_order=True).agg(pl.len().cast(pl.Int64).alias("count"))
    by_place = pl.col("count").arg_max()  # the first of equals
    return counts.group_by("prompt_id", maintain_order=True).agg(
        pl.col("answer").get(by_place).alias("leader"),
        pl.col("count").max().alias("top"),
        pl.col("count").sum().alias("samples"),
        pl.col("answer").sort().alias("answers"),
        pl.col("count").sort_by("answer").alias("counts"),
    )


def settled() -> pl.Expr:
    """Return whether a row of `tally` is settled."""
    return pl.col("top") >= AHEAD + OUTVOTED * (pl.col("samples") - pl.col("top"))


def open_votes(counted: pl.DataFrame, *, verifier: bool) -> pl.DataFrame:
    """Return the prompts to be asked once more: column `prompt_id`.

    Args:
        counted: `prompt_id`, `top` and `samples` as from `tally`; `asked`, answers there are, rejected ones included;
            `cap`, answers there may be.
        verifier: whether somebody will be shown the leader of a vote that cannot be settled.
    """
    against = pl.col("samples") - pl.col("top")
    reachable = pl.col("top") + pl.col("cap") - pl.col("asked") >= AHEAD + OUTVOTED * against
    leaderless = pl.col("top") - against < AHEAD
    worth_it = (reachable | leaderless) if verifier else reachable
    return counted.filter((pl.col("asked") < pl.col("cap")) & ~settled() & worth_it).select("prompt_id")


def shares(counted: pl.DataFrame) -> pl.Series:
    """Return the share of each answer as JSON; the same ballots come up again and again, so each is written once."""
    written: dict[tuple[tuple[str, ...], tuple[int, ...]], str] = {}
    column = []
    for answers, counts in counted.select("answers", "counts").iter_rows():
        ballot = (tuple(answers), tuple(counts))
        if ballot not in written:
            total = sum(counts)
            said = {answer: count / total for answer, count in zip(answers, counts, strict=True)}
            written[ballot] = canonical(said).decode()
        column.append(written[ballot])
    return pl.Series("votes", column, dtype=pl.String)
