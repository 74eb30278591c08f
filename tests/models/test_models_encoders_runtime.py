"""A text has one vector, whoever asks for it, with whatever else, on however many threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_encoder
from overproof.core.errors import ReleaseCorrupt, UserError
from overproof.core.store import write_json
from overproof.models.encoders import crew, store
from overproof.models.encoders.crew import TRIAL, Crew
from overproof.models.encoders.drawing import IDS, MASK, OUTPUT
from overproof.models.encoders.runtime import Encoder, Precision, session
from overproof.models.encoders.tokens import tokenizer, valid

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ANY = st.text(st.characters(exclude_categories=()), max_size=60)  # halves of characters too: logs hold them
TEXTS = st.lists(ANY | st.sampled_from(["", "card payment late", "refund", " \t\n"]), max_size=8)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    tiny_encoder.install(folder)
    return folder


@pytest.fixture(scope="module", params=["int8", "fp32"])
def encoder(home: Path, request: pytest.FixtureRequest) -> Encoder:
    precision: Precision = request.param
    return Encoder.open(home / "tiny", precision=precision)


@settings(max_examples=40)
@given(texts=TEXTS, data=st.data())
def test_a_vector_depends_on_the_text_alone(encoder: Encoder, texts: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(texts))))

    together = encoder.embed(texts)

    assert together.shape == (len(texts), encoder.width)
    assert (encoder.embed([texts[i] for i in order]) == together[list(order)]).all()
    assert all((encoder.embed_one(text) == row).all() for text, row in zip(texts, together, strict=True))
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


@settings(max_examples=40)
@given(text=ANY | st.sampled_from(["", "[CLS] card [SEP] [PAD]", "card payment late " * 400]))
def test_a_text_is_cut_once_into_what_two_cuttings_would_give(encoder: Encoder, text: str) -> None:
    """All its tokens; and as many as the encoder takes, with those that it wants around them."""
    words, whole = valid(text), tokenizer(encoder.tokenizer_json)
    framed = np.array([tokenizer(encoder.tokenizer_json, encoder.tokens).encode(words).ids])

    row, ids = encoder.read_one(text)

    assert list(ids) == whole.encode(words, add_special_tokens=False).ids
    assert (row == session(encoder._model).run([OUTPUT], {IDS: framed, MASK: np.ones_like(framed)})[0][0]).all()
    rows, tokens = encoder.read([text, text])
    assert (rows == row).all()
    assert tokens == [ids, ids]


def test_the_number_of_threads_changes_nothing(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"order {number} late" * (number % 5) for number in range(TRIAL * 4)]
    expected = np.stack([encoder.embed_one(text) for text in texts])

    for threads in (1, 2, 5):
        monkeypatch.setattr(encoder, "_crew", Crew(threads))
        assert (encoder.embed(texts) == expected).all()


def test_several_threads_may_ask_at_once(encoder: Encoder) -> None:
    texts = [f"card {number} broken" for number in range(40)]
    expected = encoder.embed(texts)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoder.embed, [texts] * 8))

    assert all((each == expected).all() for each in found)


def test_an_empty_text_and_none_at_all_work(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, tiny_encoder.WIDTH)
    assert np.isfinite(encoder.embed_one("")).all()


def test_what_is_past_the_last_token_is_not_read(encoder: Encoder) -> None:
    longest = " ".join(["card"] * (tiny_encoder.TOKENS - 2))  # the first and the last token are special

    assert (encoder.embed_one(longest) == encoder.embed_one(f"{longest} payment late")).all()
    assert (encoder.embed_one(longest) != encoder.embed_one(longest.removesuffix(" card"))).any()


def test_a_single_text_is_not_taken_for_its_letters(encoder: Encoder) -> None:
    with pytest.raises(TypeError, match="embed_one"):
        encoder.embed("card")


def test_progress_ends_at_the_end(encoder: Encoder) -> None:
    told: list[tuple[int, int]] = []

    encoder.embed(["card"] * 50, lambda done, total: told.append((done, total)))

    assert told[-1] == (50, 50)
    assert told == sorted(told)


def test_saved_and_loaded_by_another_process_it_gives_the_same_vectors(encoder: Encoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "saved")
    script = (
        "import sys; from pathlib import Path; from overproof.models.encoders.runtime import Encoder;"
        "e = Encoder.load(Path(sys.argv[1])); sys.stdout.buffer.write(e.embed(['late card', '', 'Zürich']).tobytes());"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )

    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path / "saved")], capture_output=True, check=True)

    assert ran.stdout == encoder.embed(["late card", "", "Zürich"]).tobytes()
    assert sorted(each.name for each in (tmp_path / "saved").iterdir()) == [
        "encoder.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert Encoder.load(tmp_path / "saved").precision == encoder.precision


def test_a_saved_encoder_whose_record_is_damaged_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    (tmp_path / "encoder.json").write_text('{"name": 1}')

    with pytest.raises(ReleaseCorrupt, match=r"encoder\.json"):
        Encoder.load(tmp_path)


def test_eight_bits_are_near_and_smaller(home: Path) -> None:
    small, exact = (Encoder.open(home / "tiny", precision=precision) for precision in ("int8", "fp32"))

    texts = ["card payment late", "refund my order please", "the app is slow"]

    assert (small.embed(texts) * exact.embed(texts)).sum(axis=1).min() > 0.98
    assert small.size_bytes < exact.size_bytes


def test_where_eight_bits_did_not_hold_float32_is_opened(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(home / "tiny", folder)
    write_json(folder / store.RECORD, msgspec.structs.replace(store.read(folder), int8_holds=False))

    opened = Encoder.open(folder, precision="int8")

    assert opened.precision == "fp32"
    exact = Encoder.open(home / "tiny", precision="fp32")
    assert (opened.embed_one("late") == exact.embed_one("late")).all()


@pytest.mark.parametrize("name", ["model.int8.onnx", "tokenizer.json"])
def test_a_damaged_file_is_not_opened(home: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(home / "tiny", folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)

    with pytest.raises(UserError, match=f"{name} is not the file that was installed"):
        Encoder.open(folder)


@given(total=st.integers(0, 300), cores=st.integers(1, 9), again=st.integers(0, 60))
def test_a_crew_does_each_item_once(total: int, cores: int, again: int) -> None:
    made = Crew(cores)
    done: list[int] = []
    told: list[int] = []

    made.over(total, done.append, lambda so_far, _: told.append(so_far))
    made.over(again, done.append)

    assert sorted(done) == sorted([*range(total), *range(again)])
    assert told == sorted(told)
    assert told[-1:] == ([total] if total else [])
    assert made.threads is None or 1 <= made.threads <= cores


def test_more_threads_are_kept_only_where_they_were_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is a fake: each trial takes what the list says."""

    def chosen(*seconds: float) -> int | None:
        ticks = iter(np.repeat(np.cumsum([0.0, *seconds]), 2)[1:-1])  # a trial ends when the next begins
        monkeypatch.setattr(crew, "perf_counter", lambda: next(ticks))
        made = Crew(4)
        made.over(TRIAL * 5, lambda _: None)
        return made.threads

    assert chosen(4.0, 2.0, 1.0) == 4
    assert chosen(4.0, 2.0, 1.9) == 2
    assert chosen(4.0, 3.9) == 1
    assert chosen(1.0, 4.0) == 1


def test_one_core_means_no_threads() -> None:
    seen: set[int] = set()

    Crew(1).over(TRIAL * 4, lambda _: seen.add(threading.get_ident()))

    assert seen == {threading.get_ident()}
