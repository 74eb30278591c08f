from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.logs import containers, files

LINES = b"".join(b"line %d of a log with some length to it\n" % i for i in range(20_000))


def test_a_glob_gives_its_files_in_order_and_no_hidden_ones(tmp_path: Path) -> None:
    for name in ("logs/b.jsonl", "logs/a.jsonl", "logs/.part.jsonl", "logs/deep/c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()

    found = [files.name(path, tmp_path) for path in files.expand("logs/**/*.jsonl", tmp_path)]

    assert found == ["logs/a.jsonl", "logs/b.jsonl", "logs/deep/c.jsonl"]


def test_an_absolute_path_and_a_name_that_looks_like_a_glob_are_found(tmp_path: Path) -> None:
    odd = tmp_path / "log[1].jsonl"
    odd.touch()

    assert files.expand("log[1].jsonl", tmp_path) == [odd]
    assert files.expand(str(tmp_path / "*.jsonl"), Path("/")) == [odd]


def test_a_glob_without_a_match_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file matches 'logs/\*.jsonl'"):
        files.expand("logs/*.jsonl", tmp_path)


def test_a_folder_is_told_how_to_name_its_files(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()

    with pytest.raises(UserError, match=r"'logs/\*\.jsonl'"):
        files.expand("logs/", tmp_path)


PACKED = {
    "plain": LINES,
    "gzip": gzip.compress(LINES),
    "two gzip members": gzip.compress(LINES[:1000]) + gzip.compress(LINES[1000:]),
    "zstd": zstandard.compress(LINES),
    "two zstd frames": zstandard.compress(LINES[:1000]) + zstandard.compress(LINES[1000:]),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_log_is_unpacked_whatever_its_name_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(PACKED[kind])

    with files.open_log(path) as stream:
        assert stream.read() == LINES
    assert containers.head(path) == LINES.splitlines(keepends=True)[: containers.HEAD_LINES]


@pytest.mark.parametrize("kind", ["gzip", "two gzip members", "zstd", "two zstd frames"])
@pytest.mark.parametrize("cut", [3, 200])
def test_a_file_that_breaks_off_gives_what_it_has_and_then_says_so(kind: str, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(PACKED[kind][:-cut])
    got: list[bytes] = []

    with files.open_log(path) as stream, pytest.raises(files.Torn):
        got.extend(iter(stream.readline, b""))

    assert b"".join(got) == LINES[: sum(len(line) for line in got)]


def test_the_whole_lines_before_a_tear_are_read(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    whole = packer.compress(LINES) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)  # as a writer that was killed
    (tmp_path / "log.zst").write_bytes(whole)
    (tmp_path / "log.gz").write_bytes(gzip.compress(LINES)[:-4])

    for name in ("log.zst", "log.gz"):
        got: list[bytes] = []
        with files.open_log(tmp_path / name) as stream, pytest.raises(files.Torn):
            got.extend(iter(stream.readline, b""))

        assert b"".join(got) == LINES


def test_the_head_of_a_torn_file_is_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"a\nb\n")[:-4])

    assert containers.head(tmp_path / "log.gz") == [b"a\n", b"b\n"]


@settings(deadline=None)
@given(magic=st.sampled_from([files.GZIP, files.ZSTD, files.GZIP + bytes(7)]), rest=st.binary(max_size=200))
def test_damage_is_only_ever_torn(magic: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands behind a format's mark, no other exception gets out."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(magic + rest)

    with files.open_log(path) as stream, contextlib.suppress(files.Torn):
        stream.read()
