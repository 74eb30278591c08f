"""Texts as sums of their tokens' vectors, from the table an encoder was distilled into: meaning without word order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from overproof.models.encoders import store
from overproof.models.encoders.table import VECTORS
from overproof.models.encoders.tokens import tokenizer, valid

if TYPE_CHECKING:
    from tokenizers import Tokenizer

AT_ONCE = 8192
"""Texts worked on together."""


def embed(folder: Path, texts: Sequence[str]) -> NDArray[np.float16]:
    """Return a vector of length 1 for each of `texts`, shape (texts, width); of length 0 where no token is known.

    Vectors of tokens are taken about their middle, and weigh the more, the fewer of `texts` hold the token. `folder` is
    that of an installed encoder.

    Raises:
        UserError: a file of the encoder is missing or damaged.
        MissingExtra: `tokenizers` is not installed.
    """
    words = tokenizer(store.content(folder, store.read(folder), store.TOKENIZER))
    table = store.arrays(folder, store.TABLE)[VECTORS].astype(np.float32)
    parts = [_counts(words, texts[start : start + AT_ONCE], len(table)) for start in range(0, len(texts), AT_ONCE)]
    counts = csr_array(vstack(parts)) if parts else csr_array((0, len(table)), dtype=np.float32)
    table = _weighed(table, np.bincount(counts.indices, minlength=len(table)), len(texts))
    rows = np.zeros((len(texts), table.shape[1]), np.float16)
    for start in range(0, len(texts), AT_ONCE):
        dense = np.asarray(counts[start : start + AT_ONCE] @ table)
        rows[start : start + AT_ONCE] = dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    return rows


def _counts(words: Tokenizer, texts: Sequence[str], vocabulary: int) -> csr_array:
    """Return how often each text holds each token, shape (texts, vocabulary)."""
    ids = [each.ids for each in words.encode_batch(list(map(valid, texts)), add_special_tokens=False)]
    ends = np.cumsum([0, *map(len, ids)])
    flat = np.fromiter(chain.from_iterable(ids), np.int32, ends[-1])
    there = flat < vocabulary  # a tokenizer may have more tokens than its encoder
    ends = np.append(0, np.cumsum(there))[ends]
    counts = csr_array((np.ones(ends[-1], np.float32), flat[there], ends.astype(np.int32)), (len(texts), vocabulary))
    counts.sum_duplicates()
    return counts


def _weighed(table: NDArray[np.float32], holding: NDArray[np.int64], texts: int) -> NDArray[np.float32]:
    """Return the vectors about their middle, times the rarity of their tokens; special and unused ones stay zero."""
    spoken = np.asarray(table.any(axis=1))
    rarity = np.log((1 + texts) / (1 + holding)) + 1
    centred = (table - table[spoken].mean(axis=0)) * rarity[:, None].astype(np.float32)
    weighed: NDArray[np.float32] = np.where(spoken[:, None], centred, 0).astype(np.float32)
    return weighed
