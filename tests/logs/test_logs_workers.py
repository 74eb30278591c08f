"""Processes that read side by side give what one would give, in the same order."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from overproof.logs import chunks, stream, workers
from overproof.logs.chunks import Chunk
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.pieces import Finish
from overproof.logs.read import Logged, read
from overproof.logs.workers import WorkerLost


def write(folder: Path) -> None:
    for name, first in (("a", 0), ("b", 900)):
        lines = [
            json.dumps({"id": f"r{i}", "input": f"ann{i}@b.example", "output": "x", "timestamp": 1788782400 - i})
            for i in range(first, first + 1000)
        ]
        lines[500] = lines[500][:20]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes()))
    (folder / "gold.jsonl").write_text("".join(f'{{"id": "r{i}", "label": "y"}}\n' for i in range(0, 1900, 3)))


def logged(folder: Path) -> Logged:
    gold = GoldOptions(path="gold.jsonl", on="id", field="label")
    return read([LogSource(path="[abc].jsonl*", format="pairs")], folder, PrivacyOptions(), gold)


def test_several_processes_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    alone = logged(tmp_path)
    monkeypatch.setattr(chunks, "cut", partial(chunks.cut, size=20_000))
    monkeypatch.setattr(stream, "LARGE", 1000)
    monkeypatch.setattr(stream, "MANY", 0)
    monkeypatch.setattr(workers, "cores", lambda: 2)

    together = logged(tmp_path)

    assert_frame_equal(together.exchanges, alone.exchanges)
    assert_frame_equal(together.set_aside, alone.set_aside)
    assert together.summary == alone.summary
    assert alone.summary.reasons == {"duplicate": 1099, "not JSON": 3}


def test_a_process_that_ends_too_soon_says_what_it_said_last() -> None:
    with (
        workers.started(Finish(), 1) as some,
        pytest.raises(WorkerLost, match=r"(?s)ended with 1: .*KeyError: 'no such format'"),
    ):
        some.read(Chunk(b'{"input": "a"}\n', 0, 1, 15), "a", "no such format")


def test_jobs_end_in_their_order_whoever_is_first() -> None:
    def job(i: int) -> int:
        time.sleep(0.02 * (i % 3 == 0))
        return i

    assert list(workers.in_order((partial(job, i) for i in range(20)), 3)) == list(range(20))


def test_no_more_jobs_are_taken_than_can_soon_be_done() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Callable[[], int]]:
        for i in range(50):
            taken.append(i)
            yield lambda: 0

    next(iter(workers.in_order(jobs(), 2)))

    assert len(taken) <= 4
