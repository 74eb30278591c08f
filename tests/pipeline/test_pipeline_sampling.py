"""Doubtful prompts are asked again, verified, dropped: for the money allowed, once only, and without reading gold."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import toy_logs
from overproof.core import tables
from overproof.core.chance import draw
from overproof.core.errors import BudgetTooSmall, ContractError, UserError
from overproof.core.types import Doubtful, Kept
from overproof.models.blocks import unquoted
from overproof.models.fake import FaultyServer
from overproof.pipeline import answers, asking
from overproof.pipeline.plan import plan
from overproof.pipeline.progress import Silent
from overproof.pipeline.project import Project
from overproof.pipeline.run import make
from overproof.pipeline.stages import STAGES
from toy_logs import CONTRACT, LABELS

STUBBORN = 0.05
"""Share of the texts that the teacher misreads whenever it is asked."""


def telling(text: str) -> str:
    return next((label for label in LABELS if label in text), "other")


def misread(text: str) -> str:
    """Return what the teacher says of a text when nothing disturbs it."""
    right = telling(text)
    return LABELS[LABELS.index(right) - 1] if draw("stubborn", text) < STUBBORN else right


ROWS = [
    row if row["output"] != row["gold"] else row | {"output": misread(row["input"])}
    for row in toy_logs.rows(700, wrong=0.12)
]


def reply(body: Mapping[str, Any]) -> str:
    """Answer as the teacher does; asked to verify, say whether the word that tells the label was understood."""
    last = body["messages"][-1]["content"]
    if body["model"] == "second":
        right = telling(unquoted("request", last) or "") == unquoted("answer", last)
        return "Yes." if right else "No."
    return misread(last)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FaultyServer, str]]:
    """Models `big` and `second`, served from another thread."""
    made, loop = FaultyServer(reply, models=("big", "second")), asyncio.new_event_loop()
    ready: list[str] = []
    started, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with made.listening() as url:
            ready.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    yield made, ready[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@pytest.fixture
def asked(server: tuple[FaultyServer, str]) -> FaultyServer:
    """The server, with nothing counted yet."""
    made, _ = server
    made.requests.clear()
    made.answered = 0
    return made


def contract(url: str, sampling: str = "", *, verifier: bool = False, usd: float = 5.0, ceiling: int = 20) -> str:
    reach = f'model = "big"\nbase_url = "{url}"\nceiling = {ceiling}'
    second = f'[verifier]\nmodel = "second"\nbase_url = "{url}"\nprice = {{ input = 0.5, output = 1.0 }}\n'
    return (
        CONTRACT.replace('model = "big"', reach)
        + f"\n[sampling]\n{sampling}\n{second if verifier else ''}\n[budget]\nusd = {usd}\n"
    )


def filtered(folder: Path, text: str, rows: list[dict[str, Any]] | None = None) -> Project:
    """Return a project made up to its filters."""
    project = Project(toy_logs.project(folder, ROWS if rows is None else rows, text))
    for stage in STAGES[:4]:
        if not project.fresh(stage.name):
            make(project, stage, Silent())
    return project


def by_way(project: Project, name: str = "all") -> dict[str, Kept]:
    return {row.way: row for row in answers.sampling(project).rows if row.slice == name}


def share_right(row: Kept) -> float:
    return row.right / row.kept


def removed_per_dollar(row: Kept) -> float:
    return ((row.prompts - row.right_before) - (row.kept - row.right)) / row.usd


FULL = "hard = 4\ncritical = 3\ncontrol = 60"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that may buy nothing."""
    return filtered(tmp_path_factory.mktemp("sampling") / "plain", CONTRACT)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, server: tuple[FaultyServer, str]) -> tuple[Project, Counter[str]]:
    """A project that asks again, compares and verifies, and what it asked."""
    made, url = server
    made.requests.clear()
    project = filtered(tmp_path_factory.mktemp("sampling") / "full", contract(url, FULL, verifier=True))
    return project, Counter(made.requests)


def test_doubt_alone_drops_mistakes_and_buys_nothing(plain: Project) -> None:
    found, rows = answers.sampling(plain), by_way(plain)

    assert share_right(rows["targeted"]) > share_right(rows["first answer"]) + 0.01
    assert rows["targeted"].kept > 0.85 * rows["targeted"].prompts
    assert (found.answers, found.verified, found.usd) == (0, 0, 0.0)
    assert 0 < found.dropped < found.doubted


def test_asking_again_and_verifying_leaves_nearly_no_mistake(full: tuple[Project, Counter[str]]) -> None:
    found, rows = answers.sampling(full[0]), by_way(full[0])

    assert share_right(rows["targeted"]) > 0.975
    assert removed_per_dollar(rows["targeted"]) > removed_per_dollar(rows["random"]) > 0
    assert 0 < found.settled < found.resampled
    assert 0 < found.refuted < found.verified
    assert rows["random"].prompts == 60
    assert {row.slice for row in found.rows} == {"all", "pro"}


def test_each_answer_is_bought_once_whatever_is_made_again(
    full: tuple[Project, Counter[str]], asked: FaultyServer
) -> None:
    project, requests = full
    first = answers.sampling(project)

    make(project, STAGES[2], Silent())
    make(project, STAGES[3], Silent())

    assert max(requests.values()) == 1
    assert asked.answered == 0
    assert answers.sampling(project) == first
    assert first.usd == pytest.approx(sum(row.usd for row in first.rows if (row.way, row.slice) == ("targeted", "all")))


def test_a_lower_cap_reuses_what_a_higher_one_bought(
    tmp_path: Path, server: tuple[FaultyServer, str], asked: FaultyServer
) -> None:
    filtered(tmp_path / "toy", contract(server[1], "hard = 5"))
    paid = asked.answered

    filtered(tmp_path / "toy", contract(server[1], "hard = 2"))

    assert asked.answered == paid


def test_what_is_judged_by_and_the_ceiling_are_left_alone(
    tmp_path: Path, full: tuple[Project, Counter[str]], server: tuple[FaultyServer, str]
) -> None:
    sampled, _ = full
    once = filtered(tmp_path / "once", contract(server[1]))
    evaluated = answers.for_evaluation(sampled)
    again = pl.read_parquet(sampled.folder("filters") / "again.parquet")

    assert evaluated.drop("latency_ms").equals(answers.for_evaluation(once).drop("latency_ms"))
    assert answers.found_ceiling(sampled) == answers.found_ceiling(once)
    assert again.height > 0
    assert again.join(evaluated, on=["prompt_id", "sample"], how="inner").is_empty()


def test_nothing_that_selects_reads_gold(
    tmp_path: Path, full: tuple[Project, Counter[str]], server: tuple[FaultyServer, str]
) -> None:
    honest, text = full[0], contract(server[1], FULL, verifier=True)
    absurd = filtered(tmp_path / "absurd", text, [row | {"gold": LABELS[i % 4]} for i, row in enumerate(ROWS)])

    for name in ("examples.parquet", "rejections.parquet", "review.parquet"):
        one, other = (pl.read_parquet(each.folder("filters") / name) for each in (honest, absurd))
        assert one.equals(other)
    assert answers.sampling(honest).rows != answers.sampling(absurd).rows


def test_without_gold_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    bare = [{key: value for key, value in row.items() if key != "gold"} for row in ROWS]

    assert answers.sampling(filtered(tmp_path / "toy", CONTRACT, bare)).rows == ()


def test_prompts_drawn_to_compare_are_not_learned_from(
    tmp_path: Path, full: tuple[Project, Counter[str]], server: tuple[FaultyServer, str]
) -> None:
    without = filtered(tmp_path / "toy", contract(server[1], FULL.replace("60", "0"), verifier=True))

    one, other = (pl.read_parquet(each.folder("filters") / "examples.parquet") for each in (without, full[0]))
    assert one.equals(other)


def test_what_is_left_out_goes_to_a_person_dearest_first(plain: Project) -> None:
    shown = list(tables.records(pl.read_parquet(plain.folder("filters") / "review.parquet"), Doubtful))
    prices = [each.doubt * each.weight for each in shown]
    dropped = pl.read_parquet(plain.folder("filters") / "rejections.parquet").filter(pl.col("rule") == "doubt")

    assert len(shown) == answers.sampling(plain).dropped > 0
    assert prices == sorted(prices, reverse=True)
    assert {each.prompt_id for each in shown} == set(dropped["prompt_id"])


def test_nothing_is_doubted_where_the_share_is_nothing(tmp_path: Path) -> None:
    text = CONTRACT + "\n[sampling]\nshare = 0.0\n"

    found = answers.sampling(filtered(tmp_path / "toy", text))
    assert (found.doubted, found.dropped) == (0, 0)


# --- money -----------------------------------------------------------------------------------------------------------


def test_a_budget_that_cannot_do_is_refused_before_the_first_extra_ask(
    tmp_path: Path, server: tuple[FaultyServer, str], asked: FaultyServer
) -> None:
    filtered(tmp_path / "toy", contract(server[1]))
    paid = asked.answered

    with pytest.raises(BudgetTooSmall, match="asking again and verifying"):
        filtered(tmp_path / "toy", contract(server[1], "hard = 5", usd=0.001))

    assert asked.answered == paid


def test_a_purse_that_empties_on_the_way_stops_and_a_fuller_one_goes_on(
    tmp_path: Path, server: tuple[FaultyServer, str], asked: FaultyServer
) -> None:
    """The first round looks affordable, for answers are expected to be short; the purse reserves for long ones."""
    ideal = filtered(tmp_path / "ideal", contract(server[1], "hard = 5", verifier=True))
    needed = Counter(asked.requests)
    spent = asking.spent(ideal)
    asked.requests.clear()

    with pytest.raises(UserError, match="is used up"):
        filtered(tmp_path / "toy", contract(server[1], "hard = 5", verifier=True, usd=0.9 * spent))
    assert asking.spent(Project(tmp_path / "toy")) <= 0.9 * spent
    project = filtered(tmp_path / "toy", contract(server[1], "hard = 5", verifier=True, usd=2 * spent + 1))

    assert asked.requests == needed
    assert answers.sampling(project) == answers.sampling(ideal)


def test_the_plan_says_what_it_may_cost_at_most(
    tmp_path: Path, full: tuple[Project, Counter[str]], server: tuple[FaultyServer, str]
) -> None:
    folder = toy_logs.project(tmp_path / "toy", ROWS, contract(server[1], FULL, verifier=True))
    ahead = plan(folder)
    found, rows = answers.sampling(full[0]), by_way(full[0])

    assert ahead.more_at_most >= found.answers + found.verified + rows["random"].resampled
    assert ahead.more_usd >= found.usd + rows["random"].usd
    assert plan(full[0].root).more_at_most == 0


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (CONTRACT + "\n[sampling]\nhard = 3\n", "sampling.hard: is 3, but the teacher cannot be asked"),
        (CONTRACT + "\n[sampling]\ncritical = 2\n", "sampling.critical: is 2, but the teacher cannot be asked"),
        (CONTRACT + '\n[verifier]\nmodel = "second"\n', "verifier.base_url: is missing"),
    ],
)
def test_whoever_is_to_be_asked_must_have_an_address(tmp_path: Path, text: str, place: str) -> None:
    project = Project(toy_logs.project(tmp_path / "toy", [], text))

    with pytest.raises(ContractError, match=place):
        project.contract.task.name  # noqa: B018 - reading it is the claim
