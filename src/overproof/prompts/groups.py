"""Groups: where a student must do well by customers or layouts never seen, the group is the unit of evidence.

The claim is then about the next group: groups are taken as independent draws from all there will ever be, and those
that judge have taught nothing. What several groups ask alike is no reason against it. A text that one in ten customers
sends, the next one sends with that chance, too; so near duplicates across groups stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from overproof.core.chance import draws
from overproof.core.errors import UserError
from overproof.prompts.join import KEYS, Joined
from overproof.prompts.options import PromptsOptions
from overproof.prompts.slices import Metadata
from overproof.prompts.windows import drawn

NOT_JOINED = {
    "near_duplicate": "the unit is the {key}: what several of them ask alike, the next one may ask as well",
    "conversation": "the unit is the {key}, whole",
    "user": "the unit is the {key}, whole",
}


def group_of(requests: pl.DataFrame, key: str) -> pl.Series:
    """Return the value of metadata `key` in each request, null where it has none or an empty one.

    Raises:
        UserError: no request carries the key.
    """
    metadata = Metadata(requests["metadata"])
    if key not in metadata.keys:
        known = ", ".join(map(repr, metadata.keys)) or "none"
        raise UserError(f"overproof.toml, proof.group: no request carries {key!r} in its metadata; keys there: {known}")
    return metadata.values(key).replace("", None).alias("group")


def join_groups(requests: pl.DataFrame, joined: Joined, key: str) -> Joined:
    """Return `joined` with each `group` as one unit; requests without one keep the units they have."""
    units = requests.select(joined.units, "group").select(
        unit=pl.coalesce(pl.lit(f"{key}=") + pl.col("group"), joined.units.name)
    )["unit"]
    largest = units.value_counts()["count"].max()
    return Joined(
        units,
        (key,),
        {each: NOT_JOINED[each].format(key=key) for each in KEYS},
        largest / len(units) if isinstance(largest, int) else 0.0,
    )


def sides(requests: pl.DataFrame, options: PromptsOptions) -> pl.Series:
    """Return which window each request's group belongs to as a whole, null without a group.

    `evaluation_share` of the groups, drawn by hash, are judged by and teach nothing; the others teach.
    """
    drawn_to = drawn(requests["unit"], options.evaluation_share, options.seed)
    return drawn_to.zip_with(requests["group"].is_not_null(), pl.Series([None], dtype=pl.String)).alias("side")


def part_learning(requests: pl.DataFrame, options: PromptsOptions) -> pl.Series:
    """Return the splits such that no prompt stands in both `train` and `tune`, though groups of each may ask it.

    By a hash of the prompt one of the two keeps it; in the other its requests are dropped. Nothing judged changes.
    """
    learning = requests.filter(pl.col("split").is_in(["train", "tune"]))
    both = learning.group_by("prompt_id").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).sort("prompt_id")
    tunes = [draw < options.tune_share for draw in draws(f"{options.seed}/split", both["prompt_id"])]
    keeper = both.select(
        "prompt_id", keeper=pl.Series(["tune" if each else "train" for each in tunes], dtype=pl.String)
    )
    rows = requests.join(keeper, on="prompt_id", how="left", maintain_order="left")
    elsewhere = pl.col("split").is_in(["train", "tune"]) & (pl.col("keeper") != pl.col("split"))
    return rows.select(split=pl.when(~elsewhere.fill_null(value=False)).then("split"))["split"]


def notes(requests: pl.DataFrame, key: str) -> Iterator[str]:
    """Yield what group-aware dealing means here: who teaches, who judges, and what had to be left out of the splits."""
    known = requests.filter(pl.col("group").is_not_null())
    judging = known.filter(pl.col("split").is_in(["calibrate", "test"]))["group"].n_unique()
    teaching = known.filter(pl.col("split").is_in(["train", "tune"]))["group"].n_unique()
    yield (
        f"the unit is the {key} (proof.group): {teaching} of {known['group'].n_unique()} are learned from, {judging} "
        "others are judged by, and what is promised is promised for those never seen"
    )
    left = known.filter(pl.col("split").is_null())
    older = left.filter((pl.col("side") == "evaluation") & (pl.col("window") == "training")).height
    newer = left.filter((pl.col("side") == "training") & (pl.col("window") == "evaluation")).height
    if older or newer:
        yield (
            f"{older} older requests of a {key} that is judged by, and {newer} newer ones of a {key} that is learned "
            "from, are in no split: those would teach what is judged, these would judge what was taught"
        )
    if left.height > older + newer:
        yield (
            f"{left.height - older - newer} requests are in no split, for another {key} asks the same in the other of "
            "train and tune, or an earlier decision had dealt them otherwise"
        )
    if requests.height > known.height:
        yield (
            f"{requests.height - known.height} requests carry no {key!r} and are in no split: any {key} may have sent "
            "them, so nothing is learned from them, and nothing is promised for requests like them"
        )
