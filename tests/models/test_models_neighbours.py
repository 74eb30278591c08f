"""Exact neighbours: what a look at every pair would find, in an order that does not depend on how it was done."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.models import neighbours
from overproof.models.embed import Rows
from overproof.models.neighbours import GRADES, Neighbours

CORNERS = np.array(
    [[0.0] * 4, *np.eye(4), *-np.eye(4), *(np.array(np.unravel_index(range(16), (2,) * 4)).T - 0.5)], np.float32
)
"""Vectors of length 1, and the empty one; their products are halves: exact however they are summed, and often equal."""

corners = st.lists(st.integers(0, len(CORNERS) - 1), max_size=12).map(lambda chosen: CORNERS[chosen])
shapes = st.sampled_from([np.asarray, csr_array])


def by_hand(items: NDArray[np.float32], query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    products = [float(each.astype(np.float64) @ query.astype(np.float64)) for each in items]
    return [(place, products[place]) for place in sorted(range(len(items)), key=lambda at: (-products[at], at))[:k]]


def found(near: neighbours.Near) -> list[list[tuple[int, float]]]:
    return [list(zip(*row, strict=True)) for row in zip(near.places.tolist(), near.similarity.tolist(), strict=True)]


@given(items=corners, queries=corners, k=st.integers(0, 14), shape=shapes, cells=st.integers(1, 30))
def test_it_finds_what_a_look_at_every_pair_finds_and_the_earlier_of_equals_first(
    items: NDArray[np.float32], queries: NDArray[np.float32], k: int, shape: type, cells: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "CELLS", cells)
        near = Neighbours(shape(items)).nearest(shape(queries), k)

    assert near.places.shape == near.similarity.shape == (len(queries), min(k, len(items)))
    assert found(near) == [by_hand(items, query, k) for query in queries]


@given(seed=st.integers(0, 2**32), n=st.integers(1, 60), k=st.integers(1, 9), shape=shapes)
def test_any_vectors_are_as_similar_as_the_nearest_are(seed: int, n: int, k: int, shape: type) -> None:
    made = np.random.default_rng(seed).standard_normal((n + 5, 24)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    items, queries = made[:n], made[n:]
    near = Neighbours(shape(items)).nearest(shape(queries), k)

    every = queries.astype(np.float64) @ items.astype(np.float64).T
    assert np.allclose(near.similarity, -np.sort(-every, axis=1)[:, :k], atol=2 / GRADES)
    assert np.allclose(near.similarity, np.take_along_axis(every, near.places, axis=1), atol=2 / GRADES)
    assert all(len(set(row)) == len(row) for row in near.places.tolist())


@given(items=corners.filter(len), queries=corners, k=st.integers(1, 5), shape=shapes)
def test_one_at_a_time_finds_the_same(
    items: NDArray[np.float32], queries: NDArray[np.float32], k: int, shape: type
) -> None:
    index = Neighbours(shape(items))
    together = found(index.nearest(shape(queries), k))

    assert together == [found(index.nearest(shape(queries[[at]]), k))[0] for at in range(len(queries))]


@given(items=corners.filter(len), data=st.data())
def test_a_vector_that_is_there_is_found_with_similarity_one(items: NDArray[np.float32], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(items) - 1))
    near = Neighbours(items).nearest(items[[place]], 1)

    assert near.similarity[0, 0] == (1 if items[place].any() else 0)
    assert (items[near.places[0, 0]] == items[place]).all() or not items[place].any()


def test_an_index_of_nothing_finds_nothing() -> None:
    empty: Rows = np.empty((0, 4), np.float32)

    assert len(Neighbours(empty)) == 0
    assert Neighbours(empty).nearest(CORNERS, 3).places.shape == (len(CORNERS), 0)
