"""The language of each input, where it can be told: py3langid's model, run over many texts at once.

The model (Lui and Baldwin's langid.py, retrained) is a naive Bayes classifier over strings of bytes, found by a finite
automaton. Here the automaton takes one step in all texts together; what it says is what the package says of each alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.prompts.units import beyond_western

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.6
"""Probability from which a language is named."""
LETTERS = 12
"""A text with fewer letters says too little."""
BYTES = 96
"""So much of a text is looked at; more changes one text in a thousand and costs time."""
AT_ONCE = 8192
"""Texts looked at together: few enough that what they need stays near the processor."""
DRAWN = 4096
"""Texts, about, that tell which languages are likely at all."""
MANY = 5 * DRAWN
"""Texts beyond which the others are left out: a third less work."""
LEFT_OUT = 0.002
"""Probability, at most, that those have among the texts drawn to tell: one text in a thousand is told otherwise."""


@dataclass(frozen=True)
class Model:
    """The automaton and the classifier."""

    moves: NDArray[np.uint32]
    """Next state, at the state's row and the byte."""
    rows: NDArray[np.int64]
    """Where the row of each state begins."""
    features: NDArray[np.int32]
    """Feature that each state has found; one past the last where it found none."""
    weights: NDArray[np.float32]
    """Log-probability of each feature in each language; zeros for none."""
    priors: NDArray[np.float32]
    languages: NDArray[np.str_]
    aliases: tuple[tuple[int, int], ...]
    """Columns that are two scripts of one language."""


def languages(texts: pl.Series) -> pl.Series:
    """Return the ISO 639-1 code of each text's language, "" when unsure."""
    heads = texts.str.slice(0, BYTES)
    enough = heads.str.contains(rf"(?:\p{{L}}\P{{L}}*){{{LETTERS}}}").arg_true()
    codes = np.full(len(texts), "", "U2")
    codes[enough.to_numpy()] = _told(_composed(heads.gather(enough)))
    return pl.Series("language", codes.tolist(), dtype=pl.String)


def _composed(texts: pl.Series) -> pl.Series:
    """Return texts in composed form, those in capitals alone in lower case."""
    capitals = (texts == texts.str.to_uppercase()).arg_true()
    texts = texts.scatter(capitals, texts.gather(capitals).str.to_lowercase())
    other = beyond_western(texts)
    return texts.scatter(other, texts.gather(other).str.normalize("NFC"))


def _told(texts: pl.Series) -> NDArray[np.str_]:
    """Return the language of each text, in two threads: NumPy lets them run side by side."""
    parts = [texts.slice(start, AT_ONCE) for start in range(0, len(texts), AT_ONCE)]
    model = _model() if len(texts) <= MANY else _narrowed(_model(), texts.gather_every(len(texts) // DRAWN))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(partial(_part, model), parts))
    return np.concatenate([np.zeros(0, "U2"), *found])


def _narrowed(model: Model, drawn: pl.Series) -> Model:
    """Return the model without the languages that are hardly ever likely in the texts drawn."""
    likely = _probabilities(model, drawn).mean(axis=0)
    order = np.argsort(-likely)
    kept = np.sort(order[: 1 + np.searchsorted(np.cumsum(likely[order]), 1 - LEFT_OUT)])
    places = {int(column): i for i, column in enumerate(kept)}
    return replace(
        model,
        weights=np.ascontiguousarray(model.weights[:, kept]),
        priors=model.priors[kept],
        languages=model.languages[kept],
        aliases=tuple((places[a], places[b]) for a, b in model.aliases if a in places and b in places),
    )


def _part(model: Model, texts: pl.Series) -> NDArray[np.str_]:
    """Return the language of each text, "" when unsure."""
    scores = _probabilities(model, texts)
    for one, other in model.aliases:
        scores[:, one] += scores[:, other]
        scores[:, other] = 0
    best = scores.argmax(axis=1)
    sure = scores[np.arange(len(best)), best] >= SURE
    return np.where(sure, model.languages[best], "")


def _probabilities(model: Model, texts: pl.Series) -> NDArray[np.float32]:
    """Return how likely each text is in each language, shape (texts, languages)."""
    data, sizes = _bytes(texts)
    scores = _counted(_walk(model, data, sizes), len(model.weights)) @ model.weights + model.priors
    scores /= np.sqrt(sizes, dtype=np.float32)[:, None]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = scores / scores.sum(axis=1, keepdims=True)
    return probabilities


def _bytes(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the first bytes of each text, shape (texts, BYTES), and how many of them are its own."""
    heads = texts.str.pad_end(BYTES, "\0").cast(pl.Binary).bin.head(BYTES)
    data = heads.bin.reinterpret(dtype=pl.Array(pl.UInt8, BYTES)).to_numpy()
    return data, np.minimum(texts.str.len_bytes().to_numpy(), BYTES).astype(np.int64)


def _walk(model: Model, data: NDArray[np.uint8], sizes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the feature found at each byte of each text, shape (texts, BYTES)."""
    states = np.empty((BYTES, len(data)), np.uint32)
    state = np.zeros(len(data), np.uint32)
    for i, step in enumerate(np.ascontiguousarray(data.T)):
        places = model.rows.take(state, mode="wrap")  # all of them are inside: to wrap is not to check
        places += step
        state = model.moves.take(places, mode="wrap", out=states[i])
    found = np.ascontiguousarray(model.features.take(states, mode="wrap").T)
    found[np.arange(BYTES) >= sizes[:, None]] = len(model.weights) - 1
    return found


def _counted(found: NDArray[np.int32], n: int) -> csr_array:
    """Return log(1 + count) of each feature in each text, shape (texts, n)."""
    found.sort(axis=1)
    new = np.ones(found.shape, bool)
    np.not_equal(found[:, 1:], found[:, :-1], out=new[:, 1:])
    first = np.flatnonzero(new)
    counts = np.diff(first, append=found.size)
    logs = np.log1p(np.arange(BYTES + 1), dtype=np.float32)
    starts = np.searchsorted(first, np.arange(0, found.size + 1, BYTES))
    return csr_array((logs[counts], found.ravel()[first], starts.astype(np.int32)), shape=(len(found), n))


@cache
def _model() -> Model:
    """Load the model once (0.4 s). Its weights are plain arrays in its package: no pickle, no network."""
    told = _identifier()
    found = np.asarray(told.tk_output)
    weights = np.zeros((int(found.max()) + 2, len(told.nb_classes)), np.float32)
    weights[:-1] = np.asarray(told.nb_ptc)[: len(weights) - 1]
    return Model(
        moves=np.asarray(told.tk_nextmove).astype(np.uint32),
        rows=np.asarray(told.tk_row).astype(np.int64) << 8,
        features=np.where(found >= 0, found, len(weights) - 1).astype(np.int32),
        weights=weights,
        priors=np.asarray(told.nb_pc, np.float32),
        languages=np.array([each if len(each) == 2 else "" for each in told.nb_classes]),
        aliases=tuple(told._alias_pairs),  # noqa: SLF001 - the package folds them in just here
    )


def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
