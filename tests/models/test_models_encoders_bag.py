"""Texts as sums of token vectors: what means the same lies close, whatever words it uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overproof.core.errors import UserError
from overproof.models.encoders import bag

TEXTS = [
    "how do I reset my password",
    "I want to reset the password",
    "the parcel never arrived",
    "\u0437\u0430\u043a\u0430\u0437",
    "please send me last month's invoice",
    "",
    "\U000f0000\ud800",
]


def test_vectors_have_length_one_and_nothing_to_go_by_has_none(minilm: Path) -> None:
    lengths = np.linalg.norm(bag.embed(minilm / "minilm", TEXTS).astype(np.float32), axis=1)

    assert lengths[:5] == pytest.approx(1, abs=1e-3)
    assert lengths[5] == 0


def test_what_means_the_same_lies_closer_than_what_does_not(minilm: Path) -> None:
    late = ["the delivery of my package is late", "my package was not delivered"]
    rows = bag.embed(minilm / "minilm", [*TEXTS[:2], *late, TEXTS[4]]).astype(np.float32)
    cosines = rows @ rows.T - 2 * np.eye(5)

    assert cosines.argmax(axis=1)[:4].tolist() == [1, 0, 3, 2]


def test_neither_the_order_nor_the_size_of_a_batch_matters(minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = bag.embed(minilm / "minilm", TEXTS)
    monkeypatch.setattr(bag, "AT_ONCE", 2)
    again = bag.embed(minilm / "minilm", TEXTS[::-1])[::-1]

    assert again.astype(np.float32) == pytest.approx(there.astype(np.float32), abs=1e-3)


def test_a_token_that_few_texts_hold_weighs_more(minilm: Path) -> None:
    common = ["order late"] * 1 + ["order soon", "order now", "order here"]
    rows = bag.embed(minilm / "minilm", [*common, "order", "late"]).astype(np.float32)

    assert rows[0] @ rows[5] > rows[0] @ rows[4]


def test_of_no_texts_nothing_is_made(minilm: Path) -> None:
    assert bag.embed(minilm / "minilm", []).shape == (0, 384)


def test_a_damaged_table_is_refused(minilm: Path, tmp_path: Path) -> None:
    folder = tmp_path / "minilm"
    folder.mkdir()
    for name in ("encoder.json", "tokenizer.json"):
        (folder / name).write_bytes((minilm / "minilm" / name).read_bytes())
    (folder / "table.safetensors").write_bytes(b"not a table")

    with pytest.raises(UserError, match="is not the file that was installed"):
        bag.embed(folder, TEXTS)
