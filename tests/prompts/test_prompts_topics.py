"""Topics say what a text is about, the same of the same text everywhere, and go on meaning what they meant."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overproof.core.tables import frame
from overproof.core.types import Exchange, Message
from overproof.core.where import parse
from overproof.models import topic_file
from overproof.models.topics import LONGEST, Topics, counted, read
from overproof.prompts import topics as finding
from overproof.prompts.build import PromptSet, build
from overproof.prompts.function_words import WORDS as FUNCTION_WORDS
from overproof.prompts.options import PromptsOptions, SliceOptions
from overproof.prompts.slices import speak_of
from overproof.prompts.topics import fit
from overproof.tasks.options import TaskOptions

SUBJECTS = {
    "refund": "invoice refund charge payment card bank money receipt",
    "parcel": "parcel courier delivery tracking shipment warehouse label customs",
    "login": "password login account reset email sign locked verification",
    "crash": "app crash screen update version phone freeze bug",
    "food": "pizza pasta oven cheese tomato basil recipe dough",
    "garden": "garden tulip rose soil seed compost watering shovel",
}
SMALL = [
    "please",
    "tell",
    "me",
    "the",
    "thing",
    "about",
    "this",
    "and",
    "where",
    "it",
    "was",
    "because",
    "we",
    "would",
    "like",
    "to",
    "know",
    "what",
    "you",
    "have",
    "done",
]


def text(rng: random.Random, subject: str, n: int = 4) -> str:
    words = [*rng.sample(SUBJECTS[subject].split(), n), *rng.sample(SMALL, 7)]
    rng.shuffle(words)
    return " ".join(words)


def requests(n: int = 1200, seed: int = 0, window: str = "training") -> pl.DataFrame:
    rng = random.Random(seed)
    subject = [rng.choice(list(SUBJECTS)) for _ in range(n)]
    return pl.DataFrame(
        {
            "input": [text(rng, each) for each in subject],
            "unit": [f"u{i}" for i in range(n)],
            "window": [window] * n,
            "language": ["en"] * n,
            "subject": subject,
        }
    )


@cache
def topics() -> Topics:
    return fit(requests(), "overproof")


def by_subject(found: Topics, rows: pl.DataFrame) -> pl.DataFrame:
    named = rows.with_columns(found.named(rows["input"]))
    return named.group_by("subject", "topic").len()


def test_what_was_planted_is_found_and_told_of_unseen_texts() -> None:
    unseen = requests(600, seed=9)
    table = by_subject(topics(), unseen)
    purest = table.filter(pl.col("topic") != "").sort("len", descending=True).unique("topic", keep="first")

    assert purest["len"].sum() >= 0.97 * unseen.height
    assert set(purest["subject"]) == set(SUBJECTS)


def test_a_topic_is_called_by_words_of_its_own() -> None:
    words = {word: name for name, said in SUBJECTS.items() for word in said.split()}

    assert len(set(topics().names)) == len(topics().names) >= len(SUBJECTS)
    for name in topics().names:
        assert len({words[word] for word in name.split()}) == 1
        assert parse(f"topic = '{name}'").matches({"topic": name})


def test_words_that_say_nothing_do_not_count() -> None:
    assert not set(topics().words) & (FUNCTION_WORDS | set(SMALL))


def test_what_is_about_nothing_known_has_no_topic() -> None:
    unclear = ["", "???", "quantum chromodynamics", "please tell me where", "12345"]

    assert topics().named(unclear).to_list() == [""] * len(unclear)


known = st.lists(st.sampled_from(" ".join(SUBJECTS.values()).split() + SMALL + ["zyx"]), max_size=12).map(" ".join)


@settings(max_examples=60)
@given(st.lists(known | st.text(max_size=30), min_size=1, max_size=8), st.randoms(use_true_random=False))
@example(["İnvoice REFUND", "refund" * 3000, "\x00", "退款 invoice"], random.Random(0))
def test_a_text_has_its_topic_whatever_stands_beside_it(texts: list[str], chance: random.Random) -> None:
    alone = [topics().named([each])[0] for each in texts]
    order = list(range(len(texts)))
    chance.shuffle(order)
    together = topics().named([texts[i] for i in order] + requests(50, seed=3)["input"].to_list())

    assert together.to_list()[: len(texts)] == [alone[i] for i in order]


def test_the_same_requests_give_the_same_topics() -> None:
    assert fit(requests(), "overproof").file() == topics().file()
    assert fit(requests(), "overproof").id == topics().id


def test_only_the_training_window_is_looked_at() -> None:
    later = requests(600, seed=5, window="evaluation").with_columns(pl.col("input") + " zeppelin")

    assert fit(pl.concat([requests(), later]), "overproof").id == topics().id


def test_a_burst_of_one_unit_makes_no_topic() -> None:
    burst = requests(1).with_columns(input=pl.lit("zeppelin airship hangar mast"), unit=pl.lit("burst"))

    assert fit(pl.concat([requests(), *[burst] * 500]), "overproof").id != ""
    assert "zeppelin" not in fit(pl.concat([requests(), *[burst] * 500]), "overproof").words


def test_units_that_are_groups_do_not_starve_it() -> None:
    grouped = requests().with_columns(unit=pl.Series([f"g{i % 20}" for i in range(1200)]))

    assert fit(grouped, "overproof").names == ()
    assert len(fit(grouped, "overproof", grouped=True).names) >= len(SUBJECTS)


@pytest.mark.parametrize("n", [0, 1, 100, 239])
def test_too_few_units_have_no_topics(n: int) -> None:
    found = fit(requests(n) if n else requests(1).clear(), "overproof")

    assert found.names == ()
    assert found.named(["invoice refund", ""]).to_list() == ["", ""]
    assert read(found.file()).names == ()


def test_many_units_are_drawn_not_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_UNITS", 500)
    found = fit(requests(3000), "overproof")

    assert set(SUBJECTS) == set(by_subject(found, requests(300, seed=2)).filter(pl.col("topic") != "")["subject"])
    assert found.id == fit(requests(3000), "overproof").id != fit(requests(3000), "another seed").id


def test_what_was_masked_is_no_word_and_a_script_without_spaces_has_characters() -> None:
    found = counted(pl.Series(["[EMAIL_1] wrote from [CARD_NUMBER_12]", "退款 ok", "한국어 हिन्दी ไทย"]))
    words = [set(found.word.filter(pl.Series(found.text == i))) for i in range(3)]

    assert words == [{"wrote", "from"}, {"退", "款", "ok"}, {"한국어", "हिन्दी", "ไ", "ท", "ย"}]


def test_of_an_endless_text_only_the_beginning_is_read() -> None:
    assert topics().named(["x " * LONGEST + "invoice refund"])[0] == ""


def test_what_is_written_reads_back_and_what_is_damaged_is_told() -> None:
    data = topics().file()
    again = read(data)

    assert again.id == topics().id == topic_file.read(data).id
    assert again.file() == data
    assert again.named(requests(300, seed=4)["input"]).equals(topics().named(requests(300, seed=4)["input"]))
    for broken in (b"", b"{}", data[:40], data[:-9], data.replace(b"F32", b"I32", 1), b"\xff" * 20):
        with pytest.raises(ValueError, match="topics"):
            read(broken)


def test_figures_that_are_none_are_refused() -> None:
    found = topics()
    bad = Topics(found.id, found.names, found.words, found.weights * np.float32("nan"), found.space, found.scores)

    with pytest.raises(ValueError, match="do not fit"):
        read(bad.file())


def test_a_word_taken_out_changes_no_text_without_it() -> None:
    word = topics().names[0].split()[0]
    texts = requests(400, seed=6)["input"]
    less = topics().without([word, "unknown"])
    others = texts.filter(~texts.str.contains(word))

    assert less.id == topics().id
    assert word not in less.words
    assert less.names[0] == ""
    assert less.names[1:] == tuple("" if word in name.split() else name for name in topics().names[1:])
    assert (
        less.named(others)
        .replace("", None)
        .equals(
            topics().named(others).replace([n for n in topics().names if word in n.split()], None).replace("", None)
        )
    )


# --- in the prompt set ------------------------------------------------------------------------------------------------

START = datetime(2026, 1, 1, tzinfo=UTC)
TASK = TaskOptions(name="t")
FOOD = "topic = 'pizza pasta'"


@cache
def exchanges(n: int = 1000, seed: int = 1) -> pl.DataFrame:
    rows = requests(n, seed)
    return frame(
        (
            Exchange(
                id=f"r{seed}-{i}",
                source=f"log:{i}",
                at=START + timedelta(hours=i),
                model="m",
                messages=(Message(role="user", content=text),),
                answer="ok",
                metadata={"topic": "of the log", "subject": subject},
            )
            for i, (text, subject) in enumerate(rows.select("input", "subject").iter_rows())
        ),
        Exchange,
    )


def made(*wheres: str, known: Topics | None = None) -> PromptSet:
    slices = [SliceOptions(name=f"s{i}", where=where) for i, where in enumerate(wheres)]
    return build(exchanges(), TASK, frozenset({"m"}), PromptsOptions(), slices, topics=known)


def test_nobody_pays_for_topics_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("overproof.prompts.build.fit")
    built = made("subject = 'food'", "length > 10")

    assert built.topics is None
    assert built.requests["topic"].null_count() == built.requests.height


@pytest.mark.parametrize("where", ["NOT topic = ''", "topic IN ('x', '') OR label = 'a'"])
def test_a_slice_that_speaks_of_topics_has_them_told(where: str) -> None:
    built = made(where)

    assert speak_of([SliceOptions(name="s", where=where)], "topic")
    assert built.topics is not None
    assert built.requests["topic"].null_count() == 0
    assert set(built.requests["topic"]) <= {*built.topics.names, ""}
    assert "of the log" not in set(built.requests["topic"])  # the derived name hides metadata of the same name


def test_a_topic_is_a_slice_like_any_other() -> None:
    name = Counter(made("topic = ''").requests["topic"]).most_common(1)[0][0]
    built = made(f"topic = '{name}'")
    inside = built.requests["slices"].list.contains("s0")

    assert inside.equals((built.requests["topic"] == name).alias(inside.name))
    assert 0 < inside.sum() < built.requests.height


def test_what_topics_meant_before_is_what_they_mean() -> None:
    built = made("topic = ''", known=topics())
    texts = built.requests.join(built.prompts, left_on="prompt_id", right_on="id", how="left", maintain_order="left")

    assert built.topics is topics()
    assert built.requests["topic"].equals(topics().named(texts["input"]))


def test_the_help_desk_is_told_apart(triage: pl.DataFrame) -> None:
    rows = triage.select(input="text", unit="text", window=pl.lit("training"), language="language")
    found = fit(rows, "overproof")
    told = found.named(rows["input"])

    assert 8 <= len(found.names) <= 40
    assert (told != "").mean() > 0.7  # type: ignore[operator]  # of booleans the mean is a number
    assert told.filter(rows["input"].str.contains("(?i)registrar"))[0].find("domain") >= 0
