"""A person with words of their own in a log, the whole road, then forgotten: no byte on disk shows them any more."""

from __future__ import annotations

import asyncio
import gzip
import io
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import toy_logs
from overproof.core.errors import UserError
from overproof.models.fake import FaultyServer
from overproof.pipeline import forget as forgetting
from overproof.pipeline import kept, memory
from overproof.pipeline.forget import Forgotten, forget
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from overproof.tasks.redact import pseudonym
from toy_logs import CONTRACT, LABELS

PERSON = "u-zqxannaid"
ADDRESS = "zqx.bertha@planted.example"
EXTRA = '\n[budget]\nusd = 5\n\n[prompts]\nunit = ["near_duplicate", "conversation"]\n'
WORD = "zqx"
"""In all they said and are called, and in nothing else."""


def right(body: Mapping[str, Any]) -> str:
    """Answer as the toy's teacher does; to those two, with a word of theirs."""
    text = str(body["messages"])
    label = next((label for label in LABELS if label in text), "other")
    return f"{label}, {WORD}answer" if WORD in text and len(text) % 3 == 0 else label


def theirs(row: dict[str, Any], i: int, user: str) -> dict[str, Any]:
    """Return a call of one of the two: what they say holds words that nobody else says."""
    said = {
        "user": user,
        "input": f"{row['input']} {WORD}word{i} {WORD}often",
        "output": f"{WORD}answer" if i % 7 == 0 else row["output"],
        "metadata": row["metadata"] | {"note": f"{WORD}note"},
        "conversation": f"{WORD}talk{i // 4}",
    }
    return row | said


def logged() -> list[dict[str, Any]]:
    made = []
    for i, row in enumerate(toy_logs.rows(1200)):
        user = PERSON if i % 10 == 3 else ADDRESS if i % 25 == 5 else f"u{i % 90}"
        call = theirs(row, i, user) if user in (PERSON, ADDRESS) else row | {"user": user}
        made.append(call | {"model": "small" if i % 3 == 0 else "big"})
    shared = {"input": "billinga sharedword word1", "output": "billing"}
    made[13] |= shared | {"user": PERSON}
    made[14] |= shared | {"user": "u14"}
    return made


async def made(folder: Path) -> None:
    server = FaultyServer(right, models=("big",))
    async with server.listening() as url:
        reach = f'model = "big"\nbase_url = "{url}"\nceiling = 40'
        contract = CONTRACT.replace('model = "big"', reach) + EXTRA
        rows = logged()
        toy_logs.project(folder, rows, contract)
        bad = [{"user": PERSON, "input": None, "note": f"{WORD}bad"}, rows[3]]
        toy_logs.write(folder, bad, "b.jsonl")
        command = (sys.executable, "-W", "error", "-m", "overproof", "run", "--past-gate", "--project", str(folder))
        ran = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, wrong = await ran.communicate()
        assert ran.returncode == 0, wrong.decode()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a run; each test works on a copy."""
    folder = tmp_path_factory.mktemp("forget") / "toy"
    asyncio.run(asyncio.wait_for(made(folder), 120))
    return folder


@pytest.fixture
def folder(ran: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ran, tmp_path / "toy")


def texts(data: bytes, name: str) -> Iterator[str]:
    yield data.decode("latin-1")
    if name.endswith(".parquet"):
        yield pl.read_parquet(io.BytesIO(data)).write_ndjson()
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data).decode("latin-1")
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        zstandard = pytest.importorskip("zstandard")
        yield zstandard.ZstdDecompressor().decompressobj().decompress(data).decode("latin-1")


def showing(folder: Path, word: str = WORD) -> set[str]:
    """Return the stages whose files show the word, wherever it stands in them; the logs are the user's own."""
    found = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if (
            path.is_file()
            and name.parts[0] != "logs"
            and any(word in text for text in texts(path.read_bytes(), path.name))
        ):
            found.add(name.parts[1] if name.parts[0] == ".overproof" else name.parts[0])
    return found


def forgotten(folder: Path, user: str = PERSON) -> Forgotten:
    return forget(folder, user)


def both(folder: Path) -> tuple[Forgotten, Forgotten]:
    return forget(folder, PERSON), forget(folder, ADDRESS)


def test_before_they_are_forgotten_they_are_everywhere(folder: Path) -> None:
    """Or the searches below would prove nothing."""
    assert showing(folder) >= {"logs", "prompts", "teacher", "filters", "answers", "report", "report.html", "fitted"}


def test_afterwards_no_byte_shows_them_but_in_releases_that_are_named(folder: Path) -> None:
    gone, _ = both(folder)

    assert showing(folder) <= {"releases"}
    assert gone.releases == tuple(f"releases/{path.name}" for path in (folder / "releases").iterdir())
    assert gone.calls > 90
    assert gone.answers > 20
    assert gone.prompts > 90
    assert gone.shown > 0
    assert gone.students
    assert gone.unknown_answers == 0


def test_a_user_whose_id_is_an_address_is_found_by_it_and_by_their_pseudonym(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    by_address, by_name = forget(folder, ADDRESS), forget(other, pseudonym(ADDRESS))

    assert by_address.calls == by_name.calls > 20
    assert showing(folder, pseudonym(ADDRESS)) == showing(other, pseudonym(ADDRESS)) == set()


def test_what_others_said_stays(folder: Path) -> None:
    project = Project(folder)
    before = kept.exchanges(project.folder("logs"))

    both(folder)

    after = kept.exchanges(project.folder("logs"))
    assert after.equals(before.filter(~pl.col("user").is_in([PERSON, pseudonym(ADDRESS)])))
    prompts = pl.read_parquet(project.folder("prompts") / "prompts.parquet")
    shared = prompts.filter(pl.col("input").str.contains("sharedword"))
    assert shared["seen"].to_list() == [1]
    assert WORD not in shared["metadata"][0]
    requests = pl.read_parquet(project.folder("prompts") / "requests.parquet")
    assert set(requests["prompt_id"]) == set(prompts["id"])


def test_nothing_is_stale_afterwards_and_the_decision_stands(folder: Path) -> None:
    ledger = (folder / ".overproof" / "ledger.jsonl").read_bytes()
    release = {path: path.read_bytes() for path in (folder / "releases").rglob("*") if path.is_file()}

    both(folder)

    assert {each.state for each in run(folder, past_gate=True).stages} == {"fresh"}
    assert (folder / ".overproof" / "ledger.jsonl").read_bytes() == ledger
    assert {path: path.read_bytes() for path in (folder / "releases").rglob("*") if path.is_file()} == release
    assert memory.agrees(Project(folder))


def test_later_runs_do_not_read_them_in_again(folder: Path) -> None:
    both(folder)
    new = [row | {"id": f"n{i}", "model": "big"} for i, row in enumerate(toy_logs.rows(60, seed=9, first=1200))]
    new = [
        theirs(row, i, PERSON) if i % 2 else theirs(row, i, ADDRESS) if i % 3 == 0 else row for i, row in enumerate(new)
    ]
    toy_logs.write(folder, new, "c.jsonl")
    contract = folder / "overproof.toml"
    text = contract.read_text("utf-8")
    contract.write_text("\n".join(line for line in text.splitlines() if not line.startswith("base_url")), "utf-8")

    run(folder, past_gate=True)

    assert showing(folder) <= {"releases"}
    users = kept.exchanges(Project(folder).folder("logs"))["user"]
    assert not set(users) & {PERSON, pseudonym(ADDRESS)}


def test_the_list_of_the_forgotten_names_nobody(folder: Path) -> None:
    both(folder)
    listed = (folder / ".overproof" / "forgotten.jsonl").read_text("utf-8")

    assert listed.count("\n") == 2
    assert WORD not in listed
    assert pseudonym(ADDRESS) not in listed


def test_killed_at_any_moment_it_can_be_run_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before each of its writes in turn: the second run leaves the same as one that was not stopped."""
    whole = shutil.copytree(folder, tmp_path / "whole")
    writes = 0

    def count(*_: object) -> None:
        nonlocal writes
        writes += 1

    def watched(stop: int | None) -> None:
        for name in ("_write", "write", "write_json"):
            original = getattr(forgetting, name)

            def wrapped(*args: Any, original: Any = original) -> None:  # noqa: ANN401 - any of the three
                count()
                if writes == stop:
                    raise KeyboardInterrupt
                original(*args)

            monkeypatch.setattr(forgetting, name, wrapped)

    watched(None)
    expected = forget(whole, PERSON)
    monkeypatch.undo()
    total = writes
    for stop in range(1, total + 1, max(1, total // 12)):
        copy = shutil.copytree(folder, tmp_path / f"stopped-{stop}")
        writes = 0
        watched(stop)
        with pytest.raises(KeyboardInterrupt):
            forget(copy, PERSON)
        monkeypatch.undo()

        again = forget(copy, PERSON)

        assert showing(copy, f"{WORD}annaid") == set()
        assert (again.releases, again.students) == (expected.releases, expected.students)
        for path in whole.rglob("*.parquet"):
            assert pl.read_parquet(copy / path.relative_to(whole)).equals(pl.read_parquet(path)), path.name


def test_forgetting_twice_finds_nothing_more(folder: Path) -> None:
    first, second = forgotten(folder), forgotten(folder)

    assert (second.calls, second.prompts, second.answers, second.shown) == (0, 0, 0, 0)
    assert not any(second.rows.values())
    assert second.releases == first.releases


def test_somebody_nobody_knows_changes_nothing_but_the_list(folder: Path) -> None:
    before = kept.exchanges(Project(folder).folder("logs"))

    gone = forgotten(folder, "nobody")

    assert (gone.calls, gone.prompts, gone.releases, gone.students) == (0, 0, (), ())
    assert kept.exchanges(Project(folder).folder("logs")).equals(before)


def test_where_there_is_no_project_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        forget(tmp_path, PERSON)


def test_an_empty_id_is_nobody(folder: Path) -> None:
    with pytest.raises(UserError, match="forget whom"):
        forget(folder, " ")
