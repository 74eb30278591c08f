from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import polars as pl
import pytest

from overproof.core.errors import UserError
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import detect, files

OPENAI = {"request": {"messages": [{"role": "user", "content": "a"}]}, "response": {"choices": []}}
PAIR = {"input": "a", "output": "b"}


class Sure(Record):
    """A stranger's reader."""

    name: str
    sure: float

    def sniff(self, head: Sequence[bytes], path: Path) -> float:
        return self.sure

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        yield from ()


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("openai", "pairs", "parquet")}
    found["openai"].write_text(json.dumps(OPENAI) + "\n")
    found["pairs"].write_text(json.dumps(PAIR) + "\n")
    pl.DataFrame({"input": ["a"], "output": ["b"]}).write_parquet(found["parquet"])
    return found


def test_every_reader_knows_its_own_files_and_no_other(samples: dict[str, Path]) -> None:
    known = detect.readers()

    for kind, path in samples.items():
        head = files.head(path)
        sure = {name: reader.sniff(head, path) for name, reader in known.items() if name in samples}

        assert sure == {name: float(name == kind) for name in samples}


def test_the_surest_reader_gets_the_file(samples: dict[str, Path]) -> None:
    for kind, path in samples.items():
        found = detect.detect(files.head(path), path, detect.readers())

        assert (found.reader.name, found.sure) == (kind, 1.0)


def test_a_few_broken_lines_do_not_hide_the_format() -> None:
    head = [json.dumps(PAIR).encode()] * 8 + [b"broken", b"{"]

    found = detect.detect(head, Path("x"), detect.readers())

    assert (found.reader.name, found.sure) == ("pairs", 0.8)


def test_an_unknown_file_is_told_what_is_known_and_how_to_say_it() -> None:
    with pytest.raises(UserError, match=r'log.csv is in no format known here \(.*openai.*pairs.*\).*format = "..."'):
        detect.detect([b"a,b,c\n"], Path("log.csv"), detect.readers())


def test_a_file_that_two_could_read_is_left_to_the_user() -> None:
    rivals = {"a": Sure(name="a", sure=0.9), "b": Sure(name="b", sure=0.85), "c": Sure(name="c", sure=0.2)}

    with pytest.raises(UserError, match=r"could be any of a, b;"):
        detect.detect([b"x"], Path("log"), rivals)


def test_a_clear_lead_decides() -> None:
    rivals = {"a": Sure(name="a", sure=0.9), "b": Sure(name="b", sure=0.6)}

    assert detect.detect([b"x"], Path("log"), rivals).reader.name == "a"


def test_a_reader_cannot_be_surer_than_sure() -> None:
    assert detect.detect([b"x"], Path("log"), {"a": Sure(name="a", sure=7.0)}).sure == 1.0
