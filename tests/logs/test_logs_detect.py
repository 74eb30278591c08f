from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar

import pytest

from overproof.core.errors import UserError
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import containers, detect

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
    found = {name: tmp_path / name for name in ("openai", "pairs")}
    found["openai"].write_text(json.dumps(OPENAI) + "\n")
    found["pairs"].write_text(json.dumps(PAIR) + "\n")
    return found


def test_every_reader_knows_its_own_files_and_no_other(samples: dict[str, Path]) -> None:
    known = detect.readers()

    for kind, path in samples.items():
        head = containers.head(path)
        sure = {name: reader.sniff(head, path) for name, reader in known.items() if name in samples}

        assert sure == {name: float(name == kind) for name in samples}


def test_the_surest_reader_gets_the_file(samples: dict[str, Path]) -> None:
    for kind, path in samples.items():
        found = detect.detect(containers.head(path), path, detect.readers())

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

    with pytest.raises(UserError, match=r'could be any of a \(90%\), b \(85%\); say which with format = "..."'):
        detect.detect([b"x"], Path("log"), rivals)


def test_a_file_nobody_is_sure_of_is_told_what_it_is_nearest_to() -> None:
    doubtful = {"a": Sure(name="a", sure=0.4), "b": Sure(name="b", sure=0.1), "c": Sure(name="c", sure=0.0)}

    with pytest.raises(UserError, match=r"no format known here for sure; nearest: a \(40%\), b \(10%\);"):
        detect.detect([b"x"], Path("log"), doubtful)


def test_a_general_reader_steps_back_where_a_special_one_is_as_sure() -> None:
    class General(Sure):
        general: ClassVar[bool] = True

    rivals = {"wide": General(name="wide", sure=1.0), "narrow": Sure(name="narrow", sure=0.95)}

    found = detect.detect([b"x"], Path("log"), rivals)

    assert (found.reader.name, found.sure) == ("narrow", 0.95)
    assert found.saw == "JSON Lines; by its first 1 row(s) narrow, 95% sure; also like wide (100%)"


def test_a_clear_lead_decides() -> None:
    rivals = {"a": Sure(name="a", sure=0.9), "b": Sure(name="b", sure=0.6)}

    assert detect.detect([b"x"], Path("log"), rivals).reader.name == "a"


def test_a_reader_cannot_be_surer_than_sure() -> None:
    assert detect.detect([b"x"], Path("log"), {"a": Sure(name="a", sure=7.0)}).sure == 1.0
