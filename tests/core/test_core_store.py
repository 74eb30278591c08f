"""Artefacts are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.store import KEPT, MANIFEST, Store, content_key, write


def test_an_artefact_is_found_by_its_key(tmp_path: Path) -> None:
    store = Store(tmp_path)

    with store.making("logs", "k1", 1, {"files": "f"}) as making:
        (making.folder / "rows.txt").write_text("one")
        making.summary = {"rows": 1}

    manifest = store.manifest("logs", "k1")
    assert manifest is not None
    assert manifest.summary == {"rows": 1}
    assert list(manifest.files) == ["rows.txt"]
    assert store.manifest("logs", "k2") is None


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    with pytest.raises(RuntimeError, match="half way"), store.making("logs", "k1", 1, {}) as making:  # noqa: PT012
        (making.folder / "rows.txt").write_text("one")
        raise RuntimeError("half way")

    assert store.manifest("logs", "k1") is None
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_stage_that_fails_leaves_the_older_artefact_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.making("logs", "k1", 1, {}) as making:
        (making.folder / "rows.txt").write_text("one")

    with pytest.raises(RuntimeError), store.making("logs", "k1", 1, {}):
        raise RuntimeError

    assert (store.folder("logs", "k1") / "rows.txt").read_text() == "one"


@pytest.mark.parametrize(
    "torn",
    [b"", b'{"stage": "lo', b'{"stage": "logs", "of_a_later_version": 1}', b"[]", b"\xff\xfe\x00"],
    ids=["empty", "torn", "foreign", "not a manifest", "not text"],
)
def test_an_artefact_whose_manifest_cannot_be_read_is_not_there(tmp_path: Path, torn: bytes) -> None:
    store = Store(tmp_path)
    with store.making("logs", "k1", 1, {}):
        pass
    (store.folder("logs", "k1") / MANIFEST).write_bytes(torn)

    assert store.manifest("logs", "k1") is None

    with store.making("logs", "k1", 1, {}):
        pass
    assert store.manifest("logs", "k1") is not None


def test_what_a_killed_run_left_is_removed_before_the_stage_is_made(tmp_path: Path) -> None:
    left = tmp_path / "logs" / ".k0.99999"
    left.mkdir(parents=True)
    (left / "rows.txt").write_text("half")
    of_another_stage = tmp_path / "prompts" / ".k0.99999"
    of_another_stage.mkdir(parents=True)

    with Store(tmp_path).making("logs", "k1", 1, {}):
        assert not left.exists()

    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["k1"]
    assert of_another_stage.exists()


def test_bytes_are_on_the_disk_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "file", []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append((path.exists(), os.fstat(descriptor).st_size))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write(path, b"four")

    assert synced == [(False, 4)]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        write(tmp_path / "taken", b"four")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_only_the_newest_artefacts_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for i in range(KEPT + 3):
        with store.making("logs", f"k{i}", 1, {}) as making:
            (making.folder / "rows.txt").write_text(str(i))

    assert len(list((tmp_path / "logs").iterdir())) == KEPT + 1
    assert store.manifest("logs", f"k{KEPT + 2}") is not None


@given(st.binary())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("write") / "deep" / "file"

    write(path, data)

    assert path.read_bytes() == data
    assert [each.name for each in path.parent.iterdir()] == ["file"]


@given(
    a=st.dictionaries(st.text(min_size=1), st.text(), max_size=3),
    b=st.dictionaries(st.text(min_size=1), st.text(), max_size=3),
    version=st.integers(0, 5),
)
def test_a_key_tells_inputs_and_versions_apart(a: dict[str, str], b: dict[str, str], version: int) -> None:
    assert (content_key("s", version, a, []) == content_key("s", version, b, [])) == (a == b)
    assert content_key("s", version, a, []) != content_key("s", version + 1, a, [])
