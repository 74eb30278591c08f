from __future__ import annotations

import builtins
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from overproof.core.errors import MissingExtra, UserError
from overproof.logs import files, remote
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import read

fsspec: Any = pytest.importorskip("fsspec")
PAIR = {"input": "Where?", "output": "shipping"}


@pytest.fixture
def store() -> Iterator[Any]:
    """A file system in memory: everything fsspec reads goes through the same door."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_files_behind_a_url_are_read_like_any_other(store: Any, tmp_path: Path) -> None:  # noqa: ANN401 - fsspec ships no types
    table = io.BytesIO()
    pl.DataFrame([PAIR]).write_parquet(table)
    store.pipe("/logs/a.jsonl", json.dumps(PAIR).encode())
    store.pipe("/logs/b.parquet", table.getvalue())

    found = read([LogSource(path="memory://logs/*")], tmp_path, PrivacyOptions())

    assert [(file.path, file.kept) for file in found.summary.files] == [
        ("memory:///logs/a.jsonl", 1),
        ("memory:///logs/b.parquet", 1),
    ]
    assert found.exchanges["source"].to_list() == ["memory:///logs/a.jsonl:1", "memory:///logs/b.parquet:1"]


def test_parts_of_a_call_are_joined_behind_urls_too(store: Any, tmp_path: Path) -> None:  # noqa: ANN401 - fsspec ships no types
    asked = {"custom_id": "a", "url": "/v1/chat/completions", "body": {"messages": [{"role": "user", "content": "Hi"}]}}
    said = {"custom_id": "a", "response": {"body": {"choices": [{"message": {"content": "Ho"}}]}}, "error": None}
    store.pipe("/batch/in.jsonl", json.dumps(asked).encode())
    store.pipe("/batch/out.jsonl", json.dumps(said).encode())

    found = read([LogSource(path="memory://batch/*.jsonl")], tmp_path, PrivacyOptions())

    assert found.exchanges["answer"].to_list() == ["Ho"]


def test_a_change_behind_a_url_is_noticed(store: Any) -> None:  # noqa: ANN401 - fsspec ships no types
    store.pipe("/logs/a.jsonl", b"one")
    (file,) = files.expand("memory://logs/a.jsonl", Path())
    assert isinstance(file, remote.RemoteFile)
    before = file.state()

    store.pipe("/logs/a.jsonl", b"other")

    assert file.state() != before


def test_a_url_that_names_nothing_says_so(store: Any) -> None:  # noqa: ANN401 - fsspec ships no types
    for url in ("memory://logs/*.jsonl", "memory://logs/a.jsonl"):
        with pytest.raises(UserError, match="no file matches"):
            files.expand(url, Path())


def test_a_scheme_nobody_knows_says_so() -> None:
    with pytest.raises(UserError, match="no URL that fsspec knows"):
        files.expand("nowhere://logs/a.jsonl", Path())


def test_without_the_extra_a_url_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:  # noqa: ANN401 - the import's own signature
        if name == "fsspec":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtra, match=r"overproof\[remote\]"):
        files.expand("s3://bucket/logs/*.jsonl", Path())


@pytest.mark.parametrize("path", ["logs/*.jsonl", "C:/logs/a.jsonl", "/logs/a:b.jsonl", "a:b"])
def test_paths_are_no_urls(path: str) -> None:
    assert not remote.is_url(path)
