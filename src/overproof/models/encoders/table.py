"""An encoder without its layers: one vector for each token of its vocabulary, distilled from the whole of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders.crew import Crew, Tell, silent
from overproof.models.encoders.drawing import IDS, MASK, POOLED
from overproof.models.encoders.runtime import session

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VECTORS = "vectors"
"""Name of the one array in `table.safetensors`: float16, (vocabulary, width)."""
BATCH = 32
UNUSED = re.compile(r"\[unused\d+\]|<unused\d+>|madeupword\d+")


def distil(model: bytes, words: Tokenizer, rows: int, tell: Tell = silent) -> NDArray[np.float16]:
    """Return the vector of each token as if it were a text, shape (rows, width), in float16.

    Taken before the norm: how long a token's vector is says how much it has to say. `rows` is the size of the
    vocabulary in the weights, which may be more than the tokenizer's. Special tokens, unused ones and rows without a
    token are zero. Batches are fixed by the tokens' order, so that an 8-bit graph, whose scale is a batch's, gives the
    same table whatever the number of threads.
    """
    runs = session(model)
    before, after = _around(words)
    tokens = _spoken(words, rows)
    table = np.zeros((rows, int(runs.get_outputs()[0].shape[1])), np.float16)

    def work(batch: int) -> None:
        some = tokens[batch * BATCH : (batch + 1) * BATCH]
        ids = np.column_stack([*(np.full(len(some), i) for i in before), some, *(np.full(len(some), i) for i in after)])
        table[some] = runs.run([POOLED], {IDS: ids, MASK: np.ones_like(ids)})[0]

    Crew().over(-(-len(tokens) // BATCH), work, tell)
    return table


def _around(words: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens this tokenizer puts before and after a text."""
    ids = words.encode("").ids
    return ids[: (len(ids) + 1) // 2], ids[(len(ids) + 1) // 2 :]


def _spoken(words: Tokenizer, rows: int) -> NDArray[np.int64]:
    """Return the tokens that texts are made of, in order."""
    special = {number for number, token in words.get_added_tokens_decoder().items() if token.special}
    known = words.get_vocab().items()
    return np.array(
        sorted(i for token, i in known if i < rows and i not in special and not UNUSED.fullmatch(token)), np.int64
    )
