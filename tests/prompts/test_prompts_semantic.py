"""Inputs that mean the same share a cluster: every such pair of few, nearly every one of many, and no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from overproof.core.errors import UserError
from overproof.core.tables import frame
from overproof.core.types import Exchange, Message
from overproof.prompts import semantic
from overproof.prompts.build import build
from overproof.prompts.options import PromptsOptions
from overproof.prompts.semantic import bands, joined, merged
from overproof.tasks.options import TaskOptions

WIDTH = 48


def meaning(seed: int, groups: int, each: int, near: float) -> NDArray[np.float16]:
    """Return vectors of length 1 in groups whose members have a cosine of about `near` to each other."""
    rng = np.random.default_rng(seed)
    middle = unit(rng.standard_normal((groups, WIDTH)))
    own = rng.standard_normal((groups, each, WIDTH))
    own = unit(own - (own * middle[:, None]).sum(axis=2, keepdims=True) * middle[:, None])
    found = np.sqrt(near) * middle[:, None] + np.sqrt(1 - near) * own
    vectors: NDArray[np.float16] = found.reshape(-1, WIDTH).astype(np.float16)
    return vectors


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths


class Speaks:
    """An embedder that knows the vector of each text."""

    def __init__(self, texts: Sequence[str], vectors: NDArray[np.float16]) -> None:
        self.vectors = dict(zip(texts, vectors, strict=True))
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float16]:
        self.asked += texts
        return np.array([self.vectors[text] for text in texts], np.float16)


def names(n: int) -> list[str]:
    return [f"text {i:05}" for i in range(n)]


def same(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Say whether two numberings are one partition."""
    pairs = {*zip(one.tolist(), other.tolist(), strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@given(seed=st.integers(0, 1000), near=st.sampled_from([0.7, 0.9, 0.99]), similarity=st.sampled_from([0.8, 0.95]))
def test_of_few_inputs_exactly_the_similar_pairs_are_chained(seed: int, near: float, similarity: float) -> None:
    vectors = meaning(seed, 6, 4, near)
    wide = vectors.astype(np.float32)
    _, truth = connected_components(wide @ wide.T >= similarity - semantic.ROUNDING, directed=False)
    texts = names(len(vectors))

    assert same(
        merged(pl.Series(texts), np.arange(len(texts)), similarity, Speaks(texts, vectors)), truth.astype(np.int64)
    )


@given(order=st.permutations(range(24)))
def test_the_partition_does_not_depend_on_the_order(order: list[int]) -> None:
    vectors, texts = meaning(3, 6, 4, 0.95), names(24)
    clusters = np.arange(24) // 2
    there = merged(pl.Series(texts), clusters, 0.93, Speaks(texts, vectors))
    shuffled = merged(pl.Series(texts)[order], clusters[order], 0.93, Speaks(texts, vectors))

    assert same(shuffled, there[order])


@given(clusters=st.lists(st.integers(0, 7), min_size=20, max_size=20))
def test_what_was_joined_stays_joined(clusters: list[int]) -> None:
    before, texts = np.array(clusters), names(20)
    after = merged(pl.Series(texts), before, 0.9, Speaks(texts, meaning(1, 5, 4, 0.97)))

    assert all(len({*after[before == each].tolist()}) == 1 for each in before)
    assert {*after.tolist()} == {*range(after.max() + 1)}


def test_each_cluster_speaks_through_its_first_text_alone() -> None:
    speaks = Speaks(names(6), meaning(1, 6, 1, 0.9))
    merged(pl.Series(names(6)[::-1]), np.array([0, 0, 1, 1, 1, 2]), 0.9, speaks)

    assert speaks.asked == ["text 00000", "text 00001", "text 00004"]


@pytest.mark.parametrize(("near", "similarity"), [(0.97, 0.96), (0.93, 0.92), (0.86, 0.84)])
def test_of_many_inputs_nearly_every_pair_is_found_and_no_other_one_joined(
    near: float, similarity: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantic, "EXACT", 0)
    vectors, texts = meaning(5, 1500, 2, near), names(3000)
    truth = np.arange(3000) // 2
    wide = vectors.astype(np.float32)
    alike = np.einsum("ij,ij->i", wide[::2], wide[1::2]) >= similarity - semantic.ROUNDING
    found = merged(pl.Series(texts), np.arange(3000), similarity, Speaks(texts, vectors))
    together = found[::2] == found[1::2]

    assert alike.sum() > 1000
    assert together[alike].mean() >= 0.98
    assert not together[~alike].any()
    assert all(len({*truth[found == each].tolist()}) == 1 for each in np.flatnonzero(np.bincount(found) > 1)[:200])


def test_a_crowd_that_shares_one_bucket_is_chained_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "EXACT", 0)
    vectors, texts = meaning(2, 1, 2000, 0.97), names(2000)

    assert merged(pl.Series(texts), np.arange(2000), 0.96, Speaks(texts, vectors)).max() == 0


@given(similarity=st.floats(0.8, 1), n=st.integers(1, 10**7))
def test_bands_find_a_pair_at_the_threshold_as_often_as_is_said(similarity: float, n: int) -> None:
    n_bands, planes = bands(similarity, n)
    side = 1 - np.arccos(similarity) / np.pi

    assert 1 - (1 - side**planes) ** n_bands >= semantic.RECALL - 1e-9
    assert n_bands <= semantic.MOST_BANDS
    assert planes < semantic.BITS


def test_what_no_token_is_known_of_is_like_nothing() -> None:
    nothing = np.zeros((3, WIDTH), np.float16)

    assert len({*merged(pl.Series(names(3)), np.arange(3), 0.8, Speaks(names(3), nothing)).tolist()}) == 3


def test_of_no_inputs_nothing_is_made() -> None:
    none = np.zeros(0, np.int64)

    assert merged(pl.Series([], dtype=pl.String), none, 0.9, lambda _: np.zeros((0, WIDTH), np.float16)).tolist() == []


def asked(texts: Sequence[str]) -> pl.DataFrame:
    calls = (
        Exchange(id=f"r{i}", source="log", model="big", messages=(Message(role="user", content=text),), answer="a")
        for i, text in enumerate(texts)
    )
    return frame(calls, Exchange)


TEXTS = ["where is my parcel", "has my package shipped yet", "how do I reset my password", "was ist mit meinem Paket?"]


def by_meaning(texts: Sequence[str]) -> NDArray[np.float16]:
    """Parcels and packages are one thing here, in any language."""
    about = ["parcel" if {"parcel", "package", "Paket?"} & {*text.split()} else text for text in texts]
    places = {each: i for i, each in enumerate(dict.fromkeys(about))}
    return np.eye(4, dtype=np.float16)[[places[each] for each in about]]


def test_what_means_the_same_is_one_unit_and_the_summary_says_so() -> None:
    options = PromptsOptions(semantic=0.95)
    built = build(asked(TEXTS), TaskOptions(name="t"), frozenset({"big"}), options, [], embed=by_meaning)
    plain = build(asked(TEXTS), TaskOptions(name="t"), frozenset({"big"}), PromptsOptions(), [], embed=by_meaning)

    assert (plain.summary.units, built.summary.units) == (4, 2)
    assert [
        each for each in built.summary.notes if "cosine of 0.95 are near duplicates too: 4 clusters became 2" in each
    ]
    assert not [each for each in plain.summary.notes if "cosine" in each]


def test_inputs_of_one_meaning_keep_the_language_they_are_in() -> None:
    told = [
        build(asked(TEXTS), TaskOptions(name="t"), frozenset({"big"}), options, [], embed=by_meaning).requests[
            "language"
        ]
        for options in (PromptsOptions(), PromptsOptions(semantic=0.95))
    ]

    assert told[0].to_list() == told[1].to_list()


def test_to_ask_for_it_without_an_embedder_is_refused() -> None:
    with pytest.raises(UserError, match=r"prompts\.semantic compares embeddings"):
        joined(pl.Series(["a"]), np.zeros(1, np.int64), PromptsOptions(semantic=0.9), None)
