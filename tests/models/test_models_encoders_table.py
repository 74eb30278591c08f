"""The token table holds, for each token, what the encoder makes of it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiny_encoder
from overproof.models.encoders import crew, graph, store, table
from overproof.models.encoders.runtime import Encoder
from overproof.models.encoders.tokens import tokenizer

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def model() -> bytes:
    return graph.build(tiny_encoder.weights(), tiny_encoder.config(), pooling="mean")


def test_a_row_is_the_vector_of_its_token(model: bytes) -> None:
    words = tiny_encoder.tokenizer().encode()
    encoder = Encoder(model, words, tokens=tiny_encoder.TOKENS)
    vocabulary = tiny_encoder.vocabulary()

    rows = table.distil(model, tokenizer(words), len(vocabulary)).astype(np.float32)

    for token in ("card", "the", "late", "z", "9"):
        row = rows[vocabulary.index(token)]
        assert np.abs(row / np.linalg.norm(row) - encoder.embed_one(token)).max() < 1e-3  # half precision


def test_tokens_that_no_text_is_made_of_are_zero(model: bytes) -> None:
    vocabulary = tiny_encoder.vocabulary()

    rows = table.distil(model, tokenizer(tiny_encoder.tokenizer().encode()), len(vocabulary))

    silent = [token for token, row in zip(vocabulary, rows, strict=True) if not row.any()]
    assert silent == list(tiny_encoder.SPECIAL)


def test_rows_beyond_the_tokenizers_vocabulary_are_zero(model: bytes) -> None:
    rows = table.distil(model, tokenizer(tiny_encoder.tokenizer().encode()), len(tiny_encoder.vocabulary()) + 10)

    assert not rows[-10:].any()


def test_the_number_of_threads_changes_nothing(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    small = graph.quantise(model)
    words, rows = tokenizer(tiny_encoder.tokenizer().encode()), len(tiny_encoder.vocabulary())
    monkeypatch.setattr(crew, "TRIAL", 1)
    monkeypatch.setattr(crew, "PART", 1)
    made = []
    for cores in (1, 2, 4):
        monkeypatch.setattr(crew, "available", lambda cores=cores: cores)
        made.append(table.distil(small, words, rows))

    assert all((each == made[0]).all() for each in made)


def test_an_installed_encoder_has_one(tmp_path: Path) -> None:
    tiny_encoder.install(tmp_path)

    found = store.arrays(tmp_path / "tiny", store.TABLE)

    assert list(found) == [table.VECTORS]
    assert found[table.VECTORS].dtype == np.float16
    assert found[table.VECTORS].shape == (len(tiny_encoder.vocabulary()), tiny_encoder.WIDTH)


def test_minilms_table_brings_like_words_together(minilm: Path) -> None:
    folder = store.find(minilm, "minilm")
    rows = store.arrays(folder, store.TABLE)[table.VECTORS].astype(np.float32)
    words = tokenizer((folder / store.TOKENIZER).read_bytes())

    def alike(one: str, other: str) -> float:
        a, b = (rows[words.encode(word, add_special_tokens=False).ids].mean(axis=0) for word in (one, other))
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert alike("car", "automobile") > alike("car", "banana") + 0.2
    assert alike("refund", "reimbursement") > alike("refund", "weather") + 0.2
