"""What sampling bought, held against gold."""

from __future__ import annotations

import polars as pl

from overproof.core import tables
from overproof.core.types import PromptId, Request, UnitId
from overproof.filters.worth import Way, worth
from overproof.proof import binomial


def dealt(**slices: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"prompt_id": list(slices), "slices": list(slices.values())})


def requests(**gold: str | None) -> pl.DataFrame:
    rows = [
        Request(id=name, prompt_id=PromptId(name), unit=UnitId(name), window="training", split="train", gold=right)
        for name, right in gold.items()
    ]
    return tables.frame(rows, Request)


def labels(**answers: str) -> pl.DataFrame:
    return pl.DataFrame({"prompt_id": list(answers), "answer": list(answers.values())})


def costs(**usd: float) -> pl.DataFrame:
    columns = {"prompt_id": pl.String, "answers": pl.Int64, "usd": pl.Float64}
    return pl.DataFrame({"prompt_id": list(usd), "answers": [1] * len(usd), "usd": list(usd.values())}, schema=columns)


def test_every_way_is_told_overall_and_by_slice_beside_what_was_right_before() -> None:
    rows = list(
        worth(
            dealt(p=["all", "vip"], q=["all"], r=["all"], s=["all"]),
            requests(p="a", q="a", r="b", s=None),
            [
                Way("first answer", labels(p="a", q="b", r="b", s="a"), costs()),
                Way("targeted", labels(p="a", r="b", s="a"), costs(q=0.5, p=0.25)),
                Way("random", labels(p="a", q="b", r="b", s="a"), costs(r=0.1), pl.Series(["r"])),
            ],
            ["vip", "empty"],
        )
    )
    told = [(row.way, row.slice, row.prompts, row.right_before, row.kept, row.right, row.resampled) for row in rows]

    assert told == [
        ("first answer", "all", 3, 2, 3, 2, 0),
        ("targeted", "all", 3, 2, 2, 2, 2),
        ("random", "all", 1, 1, 1, 1, 1),
        ("first answer", "vip", 1, 1, 1, 1, 0),
        ("targeted", "vip", 1, 1, 1, 1, 1),
    ]
    assert [row.usd for row in rows] == [0.0, 0.75, 0.1, 0.0, 0.25]


def test_the_interval_is_the_exact_one() -> None:
    names = [f"p{i}" for i in range(20)]
    said = labels(**{name: "a" if i < 18 else "b" for i, name in enumerate(names)})

    [row] = worth(
        dealt(**{name: ["all"] for name in names}),
        requests(**dict.fromkeys(names, "a")),
        [Way("first answer", said, costs())],
        [],
    )

    assert (row.right, row.kept) == (18, 20)
    assert row.lower == float(binomial.lower(18, 20, 0.025))
    assert row.upper == float(binomial.upper(18, 20, 0.025))
