from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from log_formats import WRITERS, Call
from overproof.core import tables
from overproof.core.errors import UserError
from overproof.core.types import Exchange, Message
from overproof.logs import detect
from overproof.logs.gold import join, read_gold
from overproof.logs.gold import table as right
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.read import read

OPTIONS = GoldOptions(path="gold.jsonl", on="ticket", field="category")


def write(folder: Path, *rows: object) -> None:
    (folder / "gold.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def exchanges(*metadata: dict[str, str], gold: str | None = None) -> pl.DataFrame:
    asked = (Message(role="user", content="x"),)
    return tables.frame(
        [
            Exchange(id=f"r{i}", source=f"f:{i}", messages=asked, metadata=each, gold=gold)
            for i, each in enumerate(metadata)
        ],
        Exchange,
    )


def test_right_answers_are_read_by_what_they_are_matched_on(tmp_path: Path) -> None:
    write(
        tmp_path, {"ticket": "t1", "category": "a"}, {"ticket": 2, "category": True}, {"ticket": "t3", "category": None}
    )

    assert read_gold(OPTIONS, tmp_path) == {"t1": "a", "2": "true"}


def test_they_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_bytes(gzip.compress(b'\n{"ticket": "t1", "category": "a"}\n'))

    assert read_gold(OPTIONS, tmp_path) == {"t1": "a"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"ticket": "t1", "categry": "a"}], r"gold.jsonl:1 has no field 'category'; it has: ticket, categry"),
        ([{"ticket": "t1", "category": "a"}, [1]], r"gold.jsonl:2 cannot be read: not a JSON object"),
        (
            [{"ticket": "t1", "category": "a"}, {"ticket": "t1", "category": "b"}],
            r"says 'b' for ticket 't1', .* says 'a'",
        ),
        ([{"ticket": "t1", "category": None}], r"holds no right answer in field 'category'"),
    ],
)
def test_a_gold_file_with_a_fault_stops_the_run(rows: list[object], sentence: str, tmp_path: Path) -> None:
    write(tmp_path, *rows)

    with pytest.raises(UserError, match=sentence):
        read_gold(OPTIONS, tmp_path)


def test_a_torn_gold_file_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_bytes(gzip.compress(b'{"ticket": "t1", "category": "a"}\n')[:-4])

    with pytest.raises(UserError, match="breaks off"):
        read_gold(OPTIONS, tmp_path)


def test_gold_is_joined_by_a_metadata_key_and_order_stays() -> None:
    table = join(
        exchanges({"ticket": "t2"}, {}, {"ticket": "t1"}, {"ticket": "t2"}), right({"t1": "a", "t2": "b"}), "ticket"
    )

    assert table["gold"].to_list() == ["b", None, "a", "b"]
    assert table["id"].to_list() == ["r0", "r1", "r2", "r3"]
    assert table.schema == tables.schema(Exchange)


@pytest.mark.parametrize("key", ["a key", "it's", 'quo"ted', "dot.ted", "größe", "$[0]"])
def test_any_metadata_key_can_be_matched_on(key: str) -> None:
    assert join(exchanges({key: "x"}), right({"x": "gold"}), key)["gold"].to_list() == ["gold"]


def test_gold_can_be_matched_with_the_id() -> None:
    assert join(exchanges({}, {}), right({"r1": "a"}), "id")["gold"].to_list() == [None, "a"]


def test_gold_that_stands_in_the_row_stays() -> None:
    assert join(exchanges({"ticket": "t1"}, gold="mine"), right({"t1": "other"}), "ticket")["gold"].to_list() == [
        "mine"
    ]


ASKED = Call("be brief", "what?", "this", datetime(2026, 11, 24, tzinfo=UTC), (1, 1), "stop")
BESIDE = {"TensorZero": ("DemonstrationFeedback.jsonl", {"id": "d", "inference_id": "i0", "value": "right"})}
"""Where right answers stand in a file of their own."""


@pytest.mark.parametrize("name", WRITERS)
def test_a_reader_says_whether_its_rows_may_hold_right_answers(name: str, tmp_path: Path) -> None:
    form, written = WRITERS[name]
    for path, rows in written([ASKED]).items():
        (tmp_path / path).write_text("".join(json.dumps(row | {"gold": "right"}) + "\n" for row in rows))
    for path, row in [BESIDE[name]] if name in BESIDE else []:
        (tmp_path / path).write_text(json.dumps(row) + "\n")

    found = read([LogSource(path="*")], tmp_path, PrivacyOptions(redact=False)).exchanges

    assert (found["gold"].to_list() == ["right"]) is getattr(detect.readers()[form], "holds_gold", False)
