"""What is installed is found, listed and checked file by file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tiny_encoder
from overproof.core.errors import UserError
from overproof.models.encoders import store

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    tiny_encoder.install(folder)
    return folder


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    """A home of its own for each test, to do damage in."""
    shutil.copytree(whole, tmp_path / "home")
    return tmp_path / "home"


def test_what_is_installed_is_found_and_listed(whole: Path) -> None:
    assert store.find(whole, "tiny") == whole / "tiny"
    assert [info.name for info in store.installed(whole)] == ["tiny"]
    assert store.damage(whole / "tiny") == ()
    assert store.config(whole / "tiny")["hidden_size"] == tiny_encoder.WIDTH


def test_weights_come_back_as_they_were_made(whole: Path) -> None:
    found = store.arrays(whole / "tiny", store.WEIGHTS)

    assert found.keys() == tiny_encoder.weights().keys()
    assert all(np.array_equal(value, found[name]) for name, value in tiny_encoder.weights().items())


@pytest.mark.parametrize("name", ["other", "..", ".", "", "../home/tiny", "tiny/../tiny", ".hidden"])
def test_what_is_not_installed_is_not_found_and_the_sentence_lists_what_is(whole: Path, name: str) -> None:
    with pytest.raises(UserError, match="there are: tiny; `overproof models add` installs one"):
        store.find(whole, name)


def test_an_empty_machine_says_so(tmp_path: Path) -> None:
    assert store.installed(tmp_path / "nowhere") == ()
    with pytest.raises(UserError, match="there are: none"):
        store.find(tmp_path / "nowhere", "minilm")


@pytest.mark.parametrize("name", store.FILES)
def test_every_file_is_under_a_digest(home: Path, name: str) -> None:
    path = home / "tiny" / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")

    assert [(each.file, each.what) for each in store.damage(home / "tiny")] == [
        (name, "is not the file that was installed")
    ]
    with pytest.raises(UserError, match="`overproof models remove tiny`, then add it again"):
        store.content(home / "tiny", store.read(home / "tiny"), name)


@pytest.mark.parametrize("name", store.FILES)
def test_a_missing_file_and_a_link_in_its_place_are_damage(home: Path, whole: Path, name: str) -> None:
    path = home / "tiny" / name
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        store.content(home / "tiny", store.read(home / "tiny"), name)
    path.symlink_to(whole / "tiny" / name)

    assert [each.file for each in store.damage(home / "tiny")] == [name]


def test_a_file_that_came_from_elsewhere_is_damage(home: Path) -> None:
    (home / "tiny" / "more.bin").write_bytes(b"?")

    assert [each.file for each in store.damage(home / "tiny")] == ["more.bin"]


@pytest.mark.parametrize("text", ["", "{", '{"name": "tiny"}', "\xff"])
def test_a_damaged_record_is_named_and_the_encoder_can_be_removed(home: Path, text: str) -> None:
    (home / "tiny" / store.RECORD).write_text(text, "latin-1")

    assert [each.file for each in store.damage(home / "tiny")] == [store.RECORD]
    store.remove(home, "tiny")
    assert store.installed(home) == ()


def test_a_record_cannot_point_out_of_its_folder(home: Path) -> None:
    record = home / "tiny" / store.RECORD
    record.write_text(record.read_text().replace('"config.json": "', '"../config.json": "'))

    with pytest.raises(UserError, match="add it again"):
        store.read(home / "tiny")


def test_a_renamed_folder_is_another_encoders(home: Path) -> None:
    (home / "tiny").rename(home / "other")

    with pytest.raises(UserError, match="of another encoder"):
        store.read(home / "other")
