"""Draw prompts to look at: by a hash, so that the same are drawn again, and as often as traffic asks them."""

from __future__ import annotations

import numpy as np
import polars as pl

from overproof.core.chance import draws


def drawn(prompts: pl.DataFrame, n: int, seed: str) -> list[str]:
    """Return the ids of `n` prompts, or of all there are, in the order they are drawn, each at most once.

    `prompts` has `id` and `times`, how often it was asked: the chance to be drawn next is proportional to that
    (Efraimidis and Spirakis, 2006). With a column `strata` (a list of names) each stratum is drawn from in turn,
    however small its traffic.
    """
    chance = np.array(draws(f"{seed}/sample", prompts["id"]))
    place = -np.log1p(-chance) / prompts["times"].to_numpy()
    rows = prompts.with_columns(place=pl.Series(place, dtype=pl.Float64))
    if "strata" in prompts.columns:
        rows = rows.explode("strata", keep_nulls=False, empty_as_null=False)
        rows = rows.with_columns(turn=pl.struct("place", "id").rank("ordinal").over("strata"))
        rows = rows.sort("turn", "place", "id").unique("id", keep="first", maintain_order=True)
    else:
        rows = rows.sort("place", "id")
    return rows["id"].head(n).to_list()
