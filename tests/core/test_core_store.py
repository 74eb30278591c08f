"""Artefacts are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.store import KEPT, Store, content_key, write


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
