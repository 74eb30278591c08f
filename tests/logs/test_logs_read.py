from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.errors import UnknownPlugin, UserError
from overproof.core.types import Exchange, FileRead, SetAside
from overproof.logs import containers, files
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.read import Logged, read

KEEP = PrivacyOptions(redact=False)


def pair(i: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the record
    return {
        "id": f"r{i}",
        "timestamp": f"2026-09-07T12:00:{i % 60:02d}Z",
        "input": f"question {i}",
        "output": "x",
        **fields,
    }


def lines(*rows: object) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def logged(folder: Path, path: str = "*.jsonl*", form: str = "auto", **options: Any) -> Logged:  # noqa: ANN401 - any field of the record
    return read([LogSource(path=path, format=form)], folder, options.pop("privacy", KEEP), **options)


def test_the_helpdesk_history_is_read_completely(shared_data: Path) -> None:
    """As its README says: 6,239 rows, 4,720 of triage, 3,999 right answers, and some calls that failed."""
    found = read(
        [LogSource(path="helpdesk/history.jsonl.gz")],
        shared_data,
        PrivacyOptions(),
        gold=GoldOptions(path="helpdesk/gold.jsonl.gz", on="ticket", field="category"),
    )

    table = found.exchanges
    apps = table["metadata"].str.json_path_match("$.app").value_counts()
    assert (table.height, found.set_aside.height) == (6239, 0)
    assert dict(apps.iter_rows()) == {"triage": 4720, "extract": 1161, "reply": 358}
    assert found.summary.files == (
        FileRead(
            path="helpdesk/history.jsonl.gz",
            format="openai",
            sure=1.0,
            rows=6239,
            kept=6239,
            set_aside=0,
            failed=25,
            saw="JSON Lines; by its first 20 row(s) openai, 100% sure",
        ),
    )
    assert found.summary.gold == 6239
    assert table["error"].drop_nulls().unique().to_list() == ["upstream overloaded"]
    assert table["answer"].null_count() == (table["status"] == 503).sum() == 25
    assert table["at"].is_sorted()
    assert found.summary.redacted.keys() == {"email", "phone"}
    assert not table["messages"].str.contains(r"[a-z]@[a-z]+\.(example|exmaple)").any()


def test_a_log_with_five_bad_rows_in_a_hundred_is_accounted_for_row_by_row(tmp_path: Path) -> None:
    rng = random.Random(5)
    bad = [
        (b'{"id": "torn", "input": "cut\n', "not JSON"),
        (b'{"id": "r1", "input": "gr\xc3\xb6\xff", "output": "x"}\n', "not UTF-8"),
        (lines({"id": "no output", "input": "a"}), "no output"),
        (lines({"id": "no input", "output": "a"}), "no input"),
        (lines(pair(3, timestamp="a while ago")), "a time in an unknown form"),
        (lines(pair(4)), "duplicate"),
        (b"\x00\x00\x00\n", "not JSON"),
    ]
    rows = [lines(pair(i)) for i in range(1, 1901)]
    rows += ['{"id": "w%d", "input": "Größe", "output": "x"}\n'.encode("cp1252") % i for i in range(20)]
    rows += [lines(pair(5, output="another answer"))]
    expected: dict[str, int] = {}
    for i in range(100):
        line, reason = bad[i % len(bad)]
        expected[reason] = expected.get(reason, 0) + 1
        rows.insert(rng.randrange(10, len(rows)), line)
    (tmp_path / "log.jsonl").write_bytes(b"".join(rows))

    found = logged(tmp_path)

    (file,) = found.summary.files
    assert found.summary.reasons == expected
    assert (file.rows, file.kept, file.set_aside) == (2021, 1921, 100)
    assert found.exchanges["id"].is_unique().all()
    assert (found.exchanges["metadata"].str.json_path_match("$.log_encoding") == "cp1252").sum() == 20
    assert set(found.set_aside["source"]) | set(found.exchanges["source"]) == {f"log.jsonl:{i}" for i in range(1, 2022)}


GOOD = st.integers(0, 30).map(lambda i: lines(pair(i)).strip())
LINES = st.lists(GOOD | st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")), max_size=20)


@settings(deadline=None, max_examples=60)
@given(contents=st.lists(LINES, min_size=1, max_size=3))
def test_every_row_of_every_file_is_kept_or_set_aside(
    contents: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    for i, content in enumerate(contents):
        data = b"\n".join(content)
        assume(not data.startswith((files.GZIP, files.ZSTD, containers.PARQUET)))  # would be no text, and one tear
        (folder / f"{i}.jsonl").write_bytes(data)

    found = logged(folder, form="pairs", privacy=PrivacyOptions())

    for content, file in zip(contents, found.summary.files, strict=True):
        assert file.rows == file.kept + file.set_aside == sum(not line.isspace() and line != b"" for line in content)
    assert found.exchanges.height == sum(file.kept for file in found.summary.files)
    assert found.set_aside.height == sum(file.set_aside for file in found.summary.files)
    assert sum(found.summary.reasons.values()) == found.set_aside.height
    assert found.exchanges["id"].is_unique().all()
    assert found.exchanges.schema == tables.schema(Exchange)
    assert found.set_aside.schema == tables.schema(SetAside)


def test_rows_before_the_end_of_a_torn_file_are_kept_and_the_tear_is_one_row(tmp_path: Path) -> None:
    data = lines(*(pair(i, note=str(random.Random(i).random())) for i in range(3000)))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data)[:-2000])
    (tmp_path / "b.jsonl").write_bytes(lines(pair(9000)))

    found = logged(tmp_path)

    torn, whole = found.summary.files
    assert 2000 < torn.kept < 3000
    assert (torn.set_aside, whole.kept) == (1, 1)
    assert found.summary.reasons == {"the file breaks off": 1}
    assert found.set_aside["source"].to_list() == ["a.jsonl.gz:end"]


def test_exchanges_are_in_the_order_of_time_and_the_timeless_follow(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(9), pair(1, timestamp=None), pair(3)))
    (tmp_path / "b.jsonl").write_bytes(lines(pair(2, timestamp=""), pair(4), pair(5, timestamp="2026-09-07T12:00:09Z")))

    assert logged(tmp_path).exchanges["id"].to_list() == ["r3", "r4", "r9", "r5", "r1", "r2"]


def test_a_row_that_stands_in_two_files_counts_for_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1), pair(2)))
    (tmp_path / "b.jsonl").write_bytes(lines(pair(2), pair(3)))

    found = logged(tmp_path)

    assert [(file.kept, file.set_aside) for file in found.summary.files] == [(2, 0), (1, 1)]
    assert found.set_aside["reason"].to_list() == ["duplicate of a.jsonl:2"]


def test_a_file_that_two_sources_name_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1)))

    found = read([LogSource(path="a.jsonl", format="pairs"), LogSource(path="*.jsonl")], tmp_path, KEEP)

    assert len(found.summary.files) == 1
    assert found.exchanges.height == 1


def test_an_empty_file_is_nobodys_and_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n\n")
    (tmp_path / "b.jsonl").write_bytes(lines(pair(1)))

    assert [(file.format, file.rows) for file in logged(tmp_path).summary.files] == [("empty", 0), ("pairs", 1)]


def test_files_of_different_formats_may_stand_under_one_glob(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1)))
    pl.DataFrame({"input": ["a"], "output": ["b"]}).write_parquet(tmp_path / "b.parquet")
    request = {"messages": [{"role": "user", "content": "a"}]}
    response = {"choices": [{"message": {"content": "b"}}]}
    (tmp_path / "c.jsonl").write_bytes(lines({"request": request, "response": response}))

    found = logged(tmp_path, path="*")

    assert [file.format for file in found.summary.files] == ["pairs", "pairs", "openai"]
    assert [file.saw.split(";")[0] for file in found.summary.files] == ["JSON Lines", "Parquet", "JSON Lines"]
    assert [file.kept for file in found.summary.files] == [1, 1, 1]


def test_a_format_that_is_said_is_not_doubted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"all of it broken\n")

    found = logged(tmp_path, form="openai")

    assert found.summary.files[0].sure == 1.0
    assert found.summary.reasons == {"not JSON": 1}


def test_a_format_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1)))

    with pytest.raises(
        UnknownPlugin, match=r"no reader is called 'opnai'; did you mean 'openai'\? there are: .*openai"
    ):
        logged(tmp_path, form="opnai")


def test_a_strangers_reader_can_be_named_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1)))

    assert logged(tmp_path, form="overproof.logs.pairs:PairsReader").exchanges.height == 1


def test_what_is_set_aside_is_redacted_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'{"input": "I am ann@b.example, 0044\xff\n' + lines(pair(1, input="ann@b.example"))
    )

    found = logged(tmp_path, form="pairs", privacy=PrivacyOptions())
    bare = logged(tmp_path, form="pairs")

    assert found.set_aside["excerpt"].str.contains("[EMAIL_1]", literal=True).all()
    assert found.summary.redacted == {"email": 1}
    assert bare.set_aside["excerpt"].str.contains("ann@b.example", literal=True).all()
    assert bare.summary.redacted == {}


def test_gold_is_matched_before_what_it_is_matched_on_is_masked(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(lines(pair(1, customer="ann@b.example"), pair(2, customer="c")))
    (tmp_path / "gold.json").write_bytes(lines({"customer": "ann@b.example", "label": "x"}))

    found = logged(tmp_path, gold=GoldOptions(path="gold.json", on="customer", field="label"), privacy=PrivacyOptions())

    assert found.exchanges["gold"].to_list() == ["x", None]
    assert found.summary.gold == 1
    assert "ann@b" not in found.exchanges["metadata"][0]


def test_gold_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(lines(pair(1, ticket="t1")))
    (tmp_path / "gold.json").write_bytes(lines({"tickt": "t1", "label": "x"}))

    with pytest.raises(UserError, match="matches a request's 'tickt'"):
        logged(tmp_path, gold=GoldOptions(path="gold.json", on="tickt", field="label"))


def test_progress_is_told_by_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(*map(pair, range(12_000))))
    told: list[tuple[str, int]] = []

    logged(tmp_path, progress=lambda name, rows: told.append((name, rows)))

    assert told[-1] == ("a.jsonl", 12_000)
    assert [rows for _, rows in told] == sorted({rows for _, rows in told})


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(pair(1, user="ann@b.example"), pair(1), b"broken\n", pair(2)))

    first, second = logged(tmp_path, privacy=PrivacyOptions()), logged(tmp_path, privacy=PrivacyOptions())

    assert first.exchanges.equals(second.exchanges)
    assert first.set_aside.equals(second.set_aside)
    assert first.summary == second.summary
