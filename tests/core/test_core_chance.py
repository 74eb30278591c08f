"""Chance that can be repeated."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from overproof.core.chance import canonical, digest, digests, draw, draws

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(seed=st.text(), identity=st.text())
def test_a_draw_lies_in_the_unit_interval_and_can_be_repeated(seed: str, identity: str) -> None:
    first = draw(seed, identity)

    assert 0 <= first < 1
    assert draw(seed, identity) == first


def test_a_draw_is_the_same_in_another_process() -> None:
    code = "from overproof.core.chance import draw; print(draw('seed', 'unit'))"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert float(told) == draw("seed", "unit")


def test_draws_are_spread_evenly() -> None:
    places = draws("seed", [f"unit-{i}" for i in range(20_000)])

    for tenth in range(10):
        share = sum(tenth / 10 <= place < (tenth + 1) / 10 for place in places) / len(places)
        assert abs(share - 0.1) < 0.01  # 4.7 standard deviations


@given(a=st.lists(st.text()), b=st.lists(st.text()))
def test_different_parts_have_different_digests(a: list[str], b: list[str]) -> None:
    """Moving a boundary between two parts changes the digest."""
    assert (digest(*a) == digest(*b)) == (a == b)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    turned = dict(reversed(list(value.items())))

    assert canonical(turned) == canonical(value)


def test_whole_floats_are_integers_to_a_key() -> None:
    assert canonical({"temperature": 0.0}) == canonical({"temperature": 0})
    assert canonical({"temperature": 0.5}) != canonical({"temperature": 0})


@given(st.text(max_size=8), st.lists(st.text(max_size=12), max_size=6))
def test_many_draws_are_the_draws_of_each(seed: str, names: list[str]) -> None:
    assert draws(seed, names) == [draw(seed, name) for name in names]


@given(st.lists(st.lists(st.text(max_size=6), max_size=3), max_size=5))
def test_many_digests_are_the_digests_of_each(rows: list[list[str]]) -> None:
    assert digests(rows) == [digest(*row) for row in rows]
