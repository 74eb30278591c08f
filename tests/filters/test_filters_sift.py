"""Answers in, examples and rejections out: nothing is lost, and evidence is left alone."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.protocols import Rule
from overproof.core.types import Completion, Example, Message, Prompt, PromptId, Rejection, Request, SplitName, UnitId
from overproof.filters.rules import FinishReason, LabelSet, Refusal
from overproof.filters.sift import Sifted, sift
from overproof.tasks.classify import Classify

TASK = Classify(labels=("a", "b", "c"))
DEFAULTS: tuple[Rule, ...] = (FinishReason(), Refusal(), LabelSet())
REFUSED = "I'm sorry, but I can't help with that."


def prompt(name: str) -> Prompt:
    return Prompt(
        id=PromptId(name),
        input=f"text of {name}",
        messages=(Message(role="user", content=name),),
        unit=UnitId(f"u{name}"),
    )


def request(
    name: str, split: SplitName | None = "train", slices: Sequence[str] = ("all",), gold: str | None = None, at: int = 0
) -> Request:
    return Request(
        id=f"{name}-{split}-{at}",
        prompt_id=PromptId(name),
        unit=UnitId(f"u{name}"),
        window="training" if split in ("train", "tune") else "evaluation",
        split=split,
        slices=tuple(slices),
        gold=gold,
    )


def answer(name: str, text: str | None, sample: int = 0, **given: Any) -> Completion:  # noqa: ANN401 - fields of the record
    return Completion(prompt_id=PromptId(name), sample=sample, model="t", text=text, source="log", **given)


def sifted(requests: Sequence[Request], completions: Sequence[Completion], rules: Sequence[Rule] = DEFAULTS) -> Sifted:
    names = sorted({each.prompt_id for each in requests} | {each.prompt_id for each in completions})
    return sift(
        tables.frame(map(prompt, names), Prompt),
        tables.frame(requests, Request),
        tables.frame(completions, Completion),
        TASK,
        rules,
    )


def examples(found: Sifted) -> list[Example]:
    return list(tables.records(found.examples, Example))


def rejections(found: Sifted) -> list[Rejection]:
    return list(tables.records(found.rejections, Rejection))


def test_an_accepted_answer_becomes_an_example() -> None:
    found = sifted([request("p", slices=("all", "new"))], [answer("p", "Category: a")])

    assert examples(found) == [
        Example(
            prompt_id=PromptId("p"),
            unit=UnitId("up"),
            split="train",
            input="text of p",
            answer="a",
            votes={"a": 1.0},
            weight=1.0,
            slices=("all", "new"),
        )
    ]
    assert found.funnel.recovered == 1


def test_tables_have_exactly_the_columns_of_their_records() -> None:
    for found in (sifted([], []), sifted([request("p")], [answer("p", "a"), answer("p", "zzz", 1)])):
        assert found.examples.schema == tables.schema(Example)
        assert found.rejections.schema == tables.schema(Rejection)


def test_the_first_rule_to_object_is_named() -> None:
    found = sifted([request("p", "tune", ("all", "vip"))], [answer("p", REFUSED, finish_reason="length")])

    assert rejections(found) == [
        Rejection(
            prompt_id=PromptId("p"),
            sample=0,
            split="tune",
            rule="finish_reason",
            reason="cut off (length)",
            slices=("all", "vip"),
        )
    ]
    assert found.examples.is_empty()


@pytest.mark.parametrize(
    ("completion", "rules", "rule", "reason"),
    [
        (answer("p", REFUSED), DEFAULTS, "refusal", "refused"),
        (answer("p", "zzz"), DEFAULTS, "label_set", "not one of the labels"),
        (answer("p", "zzz"), (), "readable", "no meaning to the task"),
        (answer("p", None), DEFAULTS, "answered", "no text"),
        (answer("p", None, error="503 after 6 tries"), DEFAULTS, "answered", "the call failed"),
    ],
)
def test_what_cannot_be_learned_is_rejected_with_its_reason(
    completion: Completion, rules: Sequence[Rule], rule: str, reason: str
) -> None:
    found = sifted([request("p")], [completion], rules)

    assert [(each.rule, each.reason) for each in rejections(found)] == [(rule, reason)]


def test_the_vote_decides_between_samples_and_keeps_the_shares() -> None:
    texts = ["a", "b", "a", REFUSED]
    found = sifted([request("p")], [answer("p", text, i) for i, text in enumerate(texts)])

    (example,) = examples(found)
    assert example.answer == "a"
    assert example.votes == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert found.funnel.resampled == 1


def test_samples_without_a_majority_are_all_rejected() -> None:
    found = sifted([request("p")], [answer("p", "a", 0), answer("p", "b", 1)])

    assert found.examples.is_empty()
    assert {(each.sample, each.rule) for each in rejections(found)} == {(0, "agreement"), (1, "agreement")}
    assert found.funnel.disagreed == 1


def test_a_prompt_weighs_what_its_own_split_asks_it() -> None:
    requests = [request("p", slices=("all", "new"), at=0), request("p", slices=("all", "vip"), at=1)]
    found = sifted([*requests, request("p", "test", ("all", "late"))], [answer("p", "a")])

    (example,) = examples(found)
    assert example.weight == 2.0
    assert example.slices == ("all", "new", "vip")


@pytest.mark.parametrize("split", ["calibrate", "test", None])
def test_filters_leave_the_evidence_alone(split: SplitName | None) -> None:
    found = sifted([request("p", split)], [answer("p", REFUSED), answer("p", "a", 1)])

    assert found.examples.is_empty()
    assert found.rejections.is_empty()
    assert found.funnel.completions == found.funnel.prompts == 0


def test_gold_is_never_read() -> None:
    completions = [answer("p", "a"), answer("q", "zzz")]

    honest = sifted([request("p"), request("q")], completions)
    absurd = sifted([request("p", gold="b"), request("q", gold="zzz")], completions)

    assert honest.examples.equals(absurd.examples)
    assert honest.rejections.equals(absurd.rejections)
    assert honest.funnel == absurd.funnel


def test_the_funnel_tells_every_rule_for_every_slice() -> None:
    requests = [request("p", slices=("all", "vip")), request("q")]
    funnel = sifted(
        requests, [answer("p", REFUSED), answer("q", "a"), answer("q", "zz", 1), answer("q", "yy", 2)]
    ).funnel

    told = {(row.rule, row.slice): (row.rejected, row.reasons) for row in funnel.rows}
    assert told["refusal", "vip"] == (1, {"refused": 1})
    assert told["label_set", "all"] == (2, {"not one of the labels": 2})
    assert told["label_set", "vip"] == (0, {})
    assert funnel.by_slice == {"all": (2, 1), "vip": (1, 0)}
    assert list(dict.fromkeys(row.rule for row in funnel.rows)) == [
        "answered",
        "finish_reason",
        "refusal",
        "label_set",
        "readable",
        "agreement",
        "doubt",
    ]


def test_a_rule_sees_the_prompt() -> None:
    class NoQ:
        name = "no_q"

        def reject(self, prompt: Prompt, completion: Completion, reading: object) -> str | None:
            return "asked by q" if prompt.input == "text of q" else None

    found = sifted([request("p"), request("q")], [answer("p", "a"), answer("q", "a")], [NoQ()])

    assert [each.prompt_id for each in examples(found)] == ["p"]


def test_a_prompt_in_both_train_and_tune_is_a_fault_of_the_deal() -> None:
    with pytest.raises(ValueError, match="both train and tune"):
        sifted([request("p", "train"), request("p", "tune")], [])


def test_a_request_whose_prompt_is_missing_is_a_fault() -> None:
    with pytest.raises(ValueError, match="missing"):
        sift(tables.frame([], Prompt), tables.frame([request("p")], Request), tables.frame([], Completion), TASK, [])


names = st.sampled_from("pqrs")
splits: st.SearchStrategy[SplitName] = st.sampled_from(["train", "tune", "calibrate", "test"])
texts = st.sampled_from(["a", "b", "Category: a", REFUSED, "zzz", None])


@settings(deadline=None)
@given(
    st.dictionaries(names, splits),
    st.lists(st.tuples(names, texts, st.sampled_from(["stop", "length", None])), max_size=15),
)
def test_nothing_is_lost_between_examples_and_rejections(
    dealt: dict[str, SplitName], given_answers: list[tuple[str, str | None, str | None]]
) -> None:
    completions = [answer(name, text, i, finish_reason=why) for i, (name, text, why) in enumerate(given_answers)]
    found = sifted([request(name, split) for name, split in dealt.items()], completions)
    learned = {name for name, split in dealt.items() if split in ("train", "tune")}
    asked = [each for each in completions if each.prompt_id in learned]
    rejected = {each.sample for each in rejections(found)}
    accepted = [each for each in asked if each.sample not in rejected]

    assert found.funnel.completions == len(asked) == len(accepted) + found.funnel.rejected
    assert {each.prompt_id for each in accepted} == {each.prompt_id for each in examples(found)}
    assert all(sum(example.votes.values()) == pytest.approx(1) for example in examples(found))
    assert sum(row.rejected for row in found.funnel.rows if row.slice == "all") == found.funnel.rejected
    assert found.funnel.by_slice.get("all", (0, 0)) == (len(learned), found.funnel.examples)
    by_agreement = {each.prompt_id for each in rejections(found) if each.rule == "agreement"}
    assert len(by_agreement) == found.funnel.disagreed


def _logged(row: dict[str, Any]) -> Completion:
    if row["status"] != 200:
        return answer(row["id"], None, error=f"status {row['status']}")
    choice = row["response"]["choices"][0]
    return answer(row["id"], choice["message"]["content"], finish_reason=choice["finish_reason"])


def test_the_help_desk_answers_are_sifted_as_their_faults_were_made(shared_data: Path) -> None:
    """4,491 are literally labels, 47 are mended, 26 cut off, 26 refused, 25 failed: nothing else."""
    with gzip.open(shared_data / "helpdesk" / "history.jsonl.gz") as stream:
        rows = [json.loads(line) for line in stream]
    triage = [row for row in rows if row["request"]["metadata"]["app"] == "triage"]
    system = triage[0]["request"]["messages"][0]["content"]
    task = Classify(labels=tuple(system.split(": ")[1].rstrip(".").split(", ")))
    asked = [row for row in triage if row["request"]["model"] == "tern-large"]
    completions = [_logged(row) for row in asked]
    found = sift(
        tables.frame([prompt(row["id"]) for row in asked], Prompt),
        tables.frame([request(row["id"]) for row in asked], Request),
        tables.frame(completions, Completion),
        task,
        DEFAULTS,
    )
    rules = Counter(each.rule for each in rejections(found))

    assert found.funnel.completions == 4615
    assert rules == {"answered": 25, "finish_reason": 26, "refusal": 26}
    assert found.funnel.recovered == 47
    assert found.funnel.examples == 4491 + 47
    assert set(found.examples["answer"]) == set(task.labels)
