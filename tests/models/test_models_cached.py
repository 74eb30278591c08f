from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.core.protocols import Ask, Reply
from overproof.core.types import Message
from overproof.models import journal
from overproof.models.cached import Cached, key
from overproof.models.fake import FakeModel
from overproof.models.journal import Entry, Journal

Question = Callable[..., Ask]

WHOLE = Ask(
    messages=(Message(role="user", content="what?", extra={"name": "ada"}),),
    parameters={"temperature": 0, "tools": [{"name": "look"}]},
    metadata={"ticket": "t1"},
    sample=1,
)
"""Every field of it is set, every field of its message too."""

OTHER: dict[str, Any] = {
    "messages": (*WHOLE.messages, Message(role="user")),
    "parameters": WHOLE.parameters | {"temperature": 0.5},
    "metadata": {"ticket": "t2"},
    "sample": 2,
}
OTHER_TURN: dict[str, Any] = {"role": "system", "content": "what!", "extra": {"name": "bob"}}


def ask_all(model: Cached, *asks: Ask) -> list[Reply]:
    async def play() -> list[Reply]:
        return await asyncio.gather(*map(model.ask, asks))

    return asyncio.run(play())


def turned(**changes: Any) -> Ask:  # noqa: ANN401 - a message's own fields
    turn = msgspec.structs.replace(WHOLE.messages[0], **changes)
    return msgspec.structs.replace(WHOLE, messages=(turn,))


# --- the key ---------------------------------------------------------------------------------------------------------


def test_every_field_of_a_request_is_accounted_for() -> None:
    """A field that is added to `Ask` or `Message` fails here until it is known to change the key, or not to."""
    assert {*OTHER, "about"} == set(Ask.__struct_fields__)
    assert set(OTHER_TURN) == set(Message.__struct_fields__)


def test_what_prompt_it_is_asked_for_changes_nothing() -> None:
    assert key("m", msgspec.structs.replace(WHOLE, about="another")) == key("m", WHOLE)


@pytest.mark.parametrize("field", OTHER)
def test_another_value_of_any_field_is_another_key(field: str) -> None:
    assert key("m", msgspec.structs.replace(WHOLE, **{field: OTHER[field]})) != key("m", WHOLE)


@pytest.mark.parametrize("field", Message.__struct_fields__)
def test_another_value_in_any_part_of_a_turn_is_another_key(field: str) -> None:
    assert key("m", turned(**{field: OTHER_TURN[field]})) != key("m", WHOLE)


def test_another_endpoint_or_model_is_another_key() -> None:
    assert key("https://a.test/v1|big", WHOLE) != key("https://a.test/v1|small", WHOLE)


def test_metadata_that_is_not_sent_does_not_count() -> None:
    other = msgspec.structs.replace(WHOLE, metadata={"ticket": "t1", "seen_at": "noon"})

    assert key("m", other, ["ticket"]) == key("m", WHOLE, ["ticket"])
    assert key("m", other) != key("m", WHOLE)


turns = st.lists(st.builds(lambda role, content: (role, content), st.text(max_size=3), st.text(max_size=3)), max_size=3)


@given(turns, turns)
def test_two_conversations_share_a_key_only_if_they_are_the_same(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    def of(conversation: list[tuple[str, str]]) -> str:
        return key("m", Ask(messages=tuple(Message(role=role, content=content) for role, content in conversation)))

    assert (of(one) == of(other)) == (one == other)


def test_spelling_does_not_count_in_parameters() -> None:
    one = Ask(messages=(), parameters={"temperature": 0.0, "top_p": 1, "tools": [{"a": 1, "b": 2}]})
    other = Ask(messages=(), parameters={"tools": [{"b": 2, "a": 1}], "top_p": 1.0, "temperature": 0})

    assert key("m", one) == key("m", other)


# --- remembering -----------------------------------------------------------------------------------------------------


def test_what_was_paid_for_is_not_bought_again(tmp_path: Path, question: Question) -> None:
    model = FakeModel({"a": "1", "b": "2"}, cost_usd=0.01)
    with Cached(model, tmp_path / "answers.jsonl") as cached:
        first = ask_all(cached, question("a"), question("b"))

    with Cached(model, tmp_path / "answers.jsonl") as cached:
        again = ask_all(cached, question("a"), question("b"))

    assert [(reply.text, reply.cached, reply.cost_usd) for reply in first] == [("1", False, 0.01), ("2", False, 0.01)]
    assert [(reply.text, reply.cached, reply.cost_usd) for reply in again] == [("1", True, 0.0), ("2", True, 0.0)]
    assert len(model.asked) == 2


def test_a_hit_keeps_all_that_was_known_of_the_answer(tmp_path: Path, question: Question) -> None:
    with Cached(FakeModel({"a": "1"}, cost_usd=0.01), tmp_path / "answers.jsonl") as cached:
        [bought] = ask_all(cached, question("a"))
        [hit] = ask_all(cached, question("a"))

    assert hit == msgspec.structs.replace(bought, cached=True, cost_usd=0.0)


def test_failures_are_not_remembered(tmp_path: Path, question: Question) -> None:
    answers: dict[str, str] = {}
    with Cached(FakeModel(answers), tmp_path / "answers.jsonl") as cached:
        [failed] = ask_all(cached, question("a"))
        answers["a"] = "1"
        [mended] = ask_all(cached, question("a"))

    assert failed.error is not None
    assert (mended.text, mended.cached) == ("1", False)


def test_what_all_runs_spent_is_known(tmp_path: Path, question: Question) -> None:
    for text in "abc":
        with Cached(FakeModel(lambda _: "x", cost_usd=0.25), tmp_path / "answers.jsonl") as cached:
            ask_all(cached, question(text), question("a"))

    assert Cached(FakeModel({}), tmp_path / "answers.jsonl").spent == pytest.approx(0.75)


def test_looking_up_asks_nobody_and_needs_no_lock(tmp_path: Path, question: Question) -> None:
    path = tmp_path / "answers.jsonl"
    model = FakeModel({"a": "1"})
    with Cached(model, path) as cached:
        ask_all(cached, question("a"))
        looking = Cached(model, path)

        assert looking.lookup(question("b")) is None
        assert (looking.lookup(question("a")) or Reply(text=None)).text == "1"
    assert len(model.asked) == 1


def test_a_cache_that_is_not_there_yet_holds_nothing(tmp_path: Path, question: Question) -> None:
    cached = Cached(FakeModel({}), tmp_path / "new" / "answers.jsonl")

    assert cached.lookup(question("a")) is None
    assert cached.spent == 0
    assert not (tmp_path / "new").exists()


def test_unsent_metadata_finds_the_same_answer(tmp_path: Path, question: Question) -> None:
    with Cached(FakeModel({"a": "1"}), tmp_path / "answers.jsonl", send_metadata=["ticket"]) as cached:
        ask_all(cached, question("a", metadata={"ticket": "t", "at": "noon"}))

        assert cached.lookup(question("a", metadata={"ticket": "t", "at": "midnight"})) is not None


# --- equal asks under way --------------------------------------------------------------------------------------------


class Slow:
    """A model that answers when told to."""

    identity = "slow|slow"

    def __init__(self) -> None:
        self.calls = 0
        self.go = asyncio.Event()

    async def ask(self, ask: Ask) -> Reply:
        self.calls += 1
        await self.go.wait()
        return Reply(text="yes", cost_usd=1.0)


def test_equal_asks_under_way_are_bought_once(tmp_path: Path, question: Question) -> None:
    async def play() -> tuple[int, list[Reply]]:
        slow = Slow()
        with Cached(slow, tmp_path / "answers.jsonl") as cached:
            asks = [asyncio.create_task(cached.ask(question("a"))) for _ in range(10)]
            await asyncio.sleep(0)
            slow.go.set()
            return slow.calls, await asyncio.gather(*asks)

    calls, replies = asyncio.run(play())

    assert calls == 1
    assert [reply.text for reply in replies] == ["yes"] * 10
    assert sum(reply.cost_usd for reply in replies) == 1.0


@pytest.mark.parametrize("called_off", [0, 1])
def test_calling_one_of_them_off_does_not_harm_the_other(called_off: int, tmp_path: Path, question: Question) -> None:
    async def play() -> str | None:
        slow = Slow()
        with Cached(slow, tmp_path / "answers.jsonl") as cached:
            asks = [asyncio.create_task(cached.ask(question("a"))) for _ in range(2)]
            await asyncio.sleep(0)
            asks[called_off].cancel()
            slow.go.set()
            return (await asks[1 - called_off]).text

    assert asyncio.run(asyncio.wait_for(play(), 5)) == "yes"


# --- the file --------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kept=st.lists(texts, max_size=3), last=texts)
def test_a_torn_last_line_costs_that_line_and_nothing_else(kept: list[str], last: str, tmp_path: Path) -> None:
    """Torn at every byte: what stands before is read, what comes after is written whole."""
    path = tmp_path / "answers.jsonl"
    whole = [Entry(key=str(i), text=text, cost_usd=0.5) for i, text in enumerate([*kept, last])]
    lines = [msgspec.json.encode(entry) + b"\n" for entry in whole]
    after = Entry(key="after", text="after")

    for cut in range(len(lines[-1]) + 1):
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:cut])
        expected = whole if cut >= len(lines[-1]) - 1 else whole[:-1]  # the text is whole without its line's end
        seen = journal.read(path)
        opened = Journal(path)
        opened.append(after)
        opened.close()

        assert seen == opened.entries == expected
        assert journal.read(path) == [*expected, after]


def test_a_second_process_is_told_who_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    script = f"""
        from pathlib import Path
        from overproof.core.errors import UserError
        from overproof.models.journal import Journal
        try:
            Journal(Path({str(path)!r}))
        except UserError as told:
            print(told)
    """

    held = Journal(path)
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    held.close()
    freed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)

    assert f"is being written by process {os.getpid()} on" in told.stdout
    assert freed.stdout == ""


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key":"a"}\nnonsense\n{"key":"b"}\n')

    with pytest.raises(UserError, match=r"answers.jsonl:2 is not an answer"):
        Journal(path)
    with pytest.raises(UserError, match=r"answers.jsonl:2 is not an answer"):  # the lock was given back
        Journal(path)


def test_a_full_disk_leaves_whole_lines_and_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    script = f"""
        import resource
        from pathlib import Path
        from overproof.core.errors import UserError
        from overproof.models.journal import Entry, Journal
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        journal = Journal(Path({str(path)!r}))
        for i in range(9):
            try:
                journal.append(Entry(key=str(i), text="x" * 20))
            except UserError as told:
                print(i, told)
    """

    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)

    assert [entry.key for entry in journal.read(path)] == ["0", "1"]
    assert path.read_bytes().endswith(b"\n")
    assert "what was paid for before is kept" in ran.stdout


def test_a_field_that_a_later_version_keeps_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key":"a","text":"x","mood":"good"}\n')

    assert journal.read(path) == [Entry(key="a", text="x")]


def test_only_the_owner_may_read_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    Journal(path).close()

    assert path.stat().st_mode & 0o077 == 0


def test_what_is_known_of_an_answer_is_known_of_it_again() -> None:
    reply = Reply(text="a", finish_reason="stop", input_tokens=3, output_tokens=1, latency_ms=2.0, logprob=-0.5)

    assert Entry.of("k", reply).reply() == msgspec.structs.replace(reply, cached=True)
