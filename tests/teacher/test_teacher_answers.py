from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.tables import frame, schema
from overproof.core.types import Completion, Message, Price, Prompt, PromptId, Request, UnitId
from overproof.teacher import answers

MORNING = datetime(2026, 11, 24, 8, tzinfo=UTC)


def prompt(name: str, **more: Any) -> Prompt:  # noqa: ANN401 - the record's own fields
    turns = (Message(role="user", content=f"text of {name}"),)
    return Prompt(**({"id": PromptId(name), "input": name, "messages": turns, "unit": UnitId(name)} | more))


def request(name: str, split: str | None = "train", hour: int = 0, **more: Any) -> Request:  # noqa: ANN401 - the record's own fields
    fields: dict[str, Any] = {
        "id": f"{name}@{hour}",
        "prompt_id": name,
        "unit": name,
        "at": MORNING + timedelta(hours=hour),
        "window": "evaluation" if split in answers.EVALUATION else "training",
        "split": split,
        "slices": ("all", "new"),
        "model": "big",
        "by_teacher": True,
        "answer": "yes",
        "finish_reason": "stop",
    }
    return Request(**(fields | more))


def table(*requests: Request) -> pl.DataFrame:
    return frame(requests, Request)


def held(**samples: int) -> pl.DataFrame:
    """Return completions: so many of each prompt."""
    return frame(
        [
            Completion(prompt_id=PromptId(name), sample=i, model="big", text="yes", source="log")
            for name, n in samples.items()
            for i in range(n)
        ],
        Completion,
    )


def needs(**samples: int) -> pl.DataFrame:
    columns = {"prompt_id": pl.String, "samples": pl.Int64}
    return pl.DataFrame({"prompt_id": list(samples), "samples": list(samples.values())}, schema=columns)


# --- reuse -----------------------------------------------------------------------------------------------------------


def test_logged_answers_are_samples_in_the_order_of_time() -> None:
    logged = table(
        request("a", hour=5, answer="late"), request("b", answer="only"), request("a", hour=1, answer="early")
    )

    reused = answers.reuse(logged)

    assert reused.schema == schema(Completion)
    rows = reused.sort("prompt_id", "sample").select("prompt_id", "sample", "text", "source", "cost_usd").rows()
    assert rows == [("a", 0, "early", "log", 0.0), ("a", 1, "late", "log", 0.0), ("b", 0, "only", "log", 0.0)]


def test_a_copy_from_a_gateways_cache_is_no_sample_of_its_own() -> None:
    hit: dict[str, Any] = {"metadata": {"app": "shop", "cache_hit": "true"}}
    logged = table(
        request("a", hour=0, answer="copied before", **hit),
        request("a", hour=1, answer="given"),
        request("a", hour=2, answer="copied", **hit),
        request("a", hour=3, answer="given again", metadata={"cache_hit": "false"}),
        request("b", hour=1, answer="all there is", **hit),
        request("b", hour=2, answer="once more", **hit),
    )

    reused = answers.reuse(logged).sort("prompt_id", "sample").select("prompt_id", "sample", "text").rows()

    assert reused == [("a", 0, "given"), ("a", 1, "given again"), ("b", 0, "all there is")]


def test_only_the_named_teachers_answers_are_reused() -> None:
    logged = table(request("a", by_teacher=False), request("b", answer=None), request("c"))

    assert answers.reuse(logged)["prompt_id"].to_list() == ["c"]


def test_an_empty_log_gives_an_empty_table() -> None:
    assert answers.reuse(table()).schema == schema(Completion)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_the_samples(rows: list[tuple[str, int]], order: Any) -> None:  # noqa: ANN401 - hypothesis's own Random
    logged = [request(name, hour=hour, id=f"{i}", answer=f"{i}") for i, (name, hour) in enumerate(rows)]
    shuffled = order.sample(logged, len(logged))

    def samples(rows: Sequence[Request]) -> pl.DataFrame:
        return answers.reuse(table(*rows)).sort("prompt_id", "sample")

    assert samples(logged).equals(samples(shuffled))


# --- wanted ----------------------------------------------------------------------------------------------------------


def test_each_prompt_in_a_split_needs_one_answer() -> None:
    prompts = frame([prompt(name) for name in "dcba"], Prompt)
    requests = table(request("a"), request("b", "tune"), request("c", None), request("a", "test", hour=1))

    assert answers.wanted(prompts, requests).rows() == [("b", 1), ("a", 1)]


# --- once_more -------------------------------------------------------------------------------------------------------


def test_once_more_is_the_sample_after_the_last_one_held() -> None:
    lacking = answers.once_more(pl.Series(["b", "new"]), held(a=2, b=3))

    assert set(lacking) == {("b", 3), ("new", 0)}


def test_further_answers_may_be_asked_for_at_another_temperature() -> None:
    prompts = frame([prompt("a", parameters={"temperature": 0.0, "max_tokens": 8})], Prompt)

    [(_, plain)] = answers.asks([(PromptId("a"), 1)], prompts)
    [(_, warm)] = answers.asks([(PromptId("a"), 1)], prompts, temperature=0.8)

    assert plain.parameters == {"temperature": 0.0, "max_tokens": 8}
    assert warm.parameters == {"temperature": 0.8, "max_tokens": 8}


# --- without_usable ---------------------------------------------------------------------------------------------------


def test_an_evaluation_prompt_without_a_usable_answer_is_asked_again() -> None:
    requests = table(
        request("cut", "test", finish_reason="length"),
        request("refused", "calibrate", answer="Sorry"),
        request("mended", "test", answer="Sorry"),
        request("mended", "test", hour=1),
        request("good", "test"),
        request("training", "train", answer="Sorry"),
        request("dropped", None, answer="Sorry"),
    )
    calls: list[tuple[str | None, str | None]] = []

    def usable(text: str | None, finish_reason: str | None) -> bool:
        calls.append((text, finish_reason))
        return text == "yes" and finish_reason == "stop"

    again = answers.without_usable(requests, answers.reuse(requests), usable)

    assert again == {"cut", "refused"}
    assert len(calls) == len(set(calls)) == 3


def test_nothing_logged_means_nothing_to_ask_again() -> None:
    requests = table(request("a", "test", answer=None))

    assert answers.without_usable(requests, answers.reuse(requests), lambda *_: False) == frozenset()


# --- missing ---------------------------------------------------------------------------------------------------------


def test_what_is_missing_goes_on_from_what_is_there() -> None:
    lacking = answers.missing(needs(a=1, b=1, c=5, d=2), held(b=1, c=2, d=3))

    assert lacking == (("a", 0), ("c", 2), ("c", 3), ("c", 4))


def test_a_prompt_asked_again_gets_one_more_sample() -> None:
    lacking = answers.missing(needs(a=1, b=1, c=3), held(a=1, b=2, c=1), again=[PromptId(name) for name in "abc"])

    assert lacking == (("a", 1), ("b", 2), ("c", 1), ("c", 2))


def test_nothing_is_missing_when_all_is_there() -> None:
    assert answers.missing(needs(a=1), held(a=1)) == ()
    assert answers.missing(needs(), held()) == ()


counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 4))


@given(
    wanted=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4)),
    have=counts,
    again=st.sets(st.sampled_from("abcdef")),
)
def test_with_what_was_missing_nothing_is_missing(
    wanted: dict[str, int], have: dict[str, int], again: set[str]
) -> None:
    """Every prompt ends with exactly what it needs, no number is left out or given twice."""
    lacking = answers.missing(needs(**wanted), held(**have), {PromptId(name) for name in again})

    for name, samples in wanted.items():
        numbers = [*range(have.get(name, 0)), *(sample for each, sample in lacking if each == name)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) == max(samples, have.get(name, 0) + (name in again))
    assert {name for name, _ in lacking} <= set(wanted)


# --- asks and their price --------------------------------------------------------------------------------------------


def test_a_call_holds_all_that_was_asked_and_only_the_metadata_that_may_go() -> None:
    asked = prompt("a", parameters={"temperature": 0}, metadata={"ticket": "t1", "tier": "pro"})

    [(name, call)] = answers.asks([(PromptId("a"), 2)], frame([asked, prompt("b")], Prompt), ["ticket"])

    assert name == "a"
    assert (call.messages, call.parameters, call.metadata, call.sample) == (
        asked.messages,
        {"temperature": 0},
        {"ticket": "t1"},
        2,
    )


def test_the_estimate_counts_input_and_the_lesser_of_limit_and_habit() -> None:
    prompts = frame(
        [prompt("a", messages=(Message(role="user", content="x" * 3500),), parameters={"max_tokens": 50})], Prompt
    )
    calls = answers.asks([(PromptId("a"), 0), (PromptId("a"), 1)], prompts)
    price = Price(input=1.0, output=10.0)

    assert answers.estimate(calls, price, output_tokens=10) == pytest.approx(2 * (1000 + 100) / 1e6)
    assert answers.estimate(calls, price) == pytest.approx(2 * (1000 + 500) / 1e6)
    assert answers.estimate([], price) == 0


def test_the_habit_is_what_the_teachers_answers_came_to() -> None:
    logged = table(request("a", output_tokens=2), request("b", output_tokens=4), request("c", output_tokens=None))

    assert answers.typical_output(logged) == 3
    assert answers.typical_output(table(request("a", output_tokens=9, by_teacher=False))) is None


def test_spending_tells_apart_where_answers_came_from() -> None:
    def one(source: str, cost: float = 0.0, error: str | None = None) -> Completion:
        return Completion(prompt_id=PromptId("a"), model="big", source=source, cost_usd=cost, error=error)  # type: ignore[arg-type]  # one of the three

    found = answers.spending(
        frame([one("log"), one("log"), one("cache"), one("asked", 0.5), one("asked", error="busy")], Completion), 2.0
    )

    assert (found.reused, found.cached, found.bought, found.failed) == (2, 1, 1, 1)
    assert (found.usd, found.usd_all_runs) == (0.5, 2.0)
