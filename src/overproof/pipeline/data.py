"""Make the stage `prompts`: from what was logged to a prompt set; and what the other stages read of both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core.splits import Train, Tune
from overproof.core.store import Making, file_digest, write, write_json
from overproof.core.tables import schema
from overproof.core.types import Exchange, LogSummary, Match, PromptSummary
from overproof.core.where import UnknownName, WhereError
from overproof.models.prices import BYTES_PER_TOKEN
from overproof.models.topic_file import FILE as TOPICS
from overproof.pipeline import encoders, kept, memory, topics, versions
from overproof.pipeline.plugged import placed, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.refuse import refuse_pointless, refuse_unread
from overproof.prompts.build import build
from overproof.proof.ledger import family_levels, spent
from overproof.proof.power import suggest_n_max

NEEDED = [name for name in schema(Exchange) if name not in ("source", "status", "error")]
"""Columns of the logs that a prompt set is built from."""
SENDERS = "senders.parquet"
"""Who sent which request: a set that outlives the records it was made from can still forget somebody."""
RECIPE = "recipe.json"
"""The parts of the contract that say what a request of this set is."""
ROWS_AT_ONCE = 100_000
"""Rows compressed at once when a table is written."""
TOKENS_ESTIMATED = "the log has no token counts for {n} requests: costs rest on an estimate, one token for 3.5 bytes"


def make_prompts(project: Project, making: Making, listen: Listener) -> None:
    """Deal the exchanges of this task to units, windows and splits."""
    contract = project.contract
    refuse_unread(log_summary(project))
    exchanges = kept.exchanges(project.folder("logs"), NEEDED)
    listen.step("prompts", f"{exchanges.height} exchanges")
    try:
        built = build(
            exchanges,
            contract.task,
            contract.teacher.names,
            contract.prompts,
            contract.slices,
            group=contract.proof.group,
            remembered=memory.assignments(project),
            topics=topics.fixed(project),
            read=task_of(contract).read,
            embed=encoders.embed(contract),
        )
    except (UnknownName, WhereError) as fault:
        raise placed(contract, fault) from fault
    asked, estimated = with_tokens(built.requests, built.prompts)
    refuse_pointless(contract, asked)
    tables = {"prompts": built.prompts, "requests": asked, "assignments": built.assignments}
    tables |= {Path(SENDERS).stem: _senders(exchanges, asked)}
    del exchanges  # what is written needs the memory
    with ThreadPoolExecutor(1) as beside:
        written = [beside.submit(_write, table, making, f"{name}.parquet") for name, table in tables.items()]
        notes = (*built.summary.notes, *((TOKENS_ESTIMATED.format(n=estimated),) if estimated else ()))
        n_max = contract.proof.n_max or _n_max(project, asked)
        summary = msgspec.structs.replace(built.summary, n_max=n_max, notes=notes)
        write_json(making.folder / "summary.json", summary)
        write_json(making.folder / "match.json", built.match)
    for each in written:
        each.result()
    write_json(making.folder / RECIPE, recipe_of(contract))
    if built.topics is not None:
        write(making.folder / TOPICS, built.topics.file())
    fixed, meant = memory.digest(project), built.topics.id if built.topics is not None else ""
    making.summary = {"prompts": summary.prompts, "units": summary.units, "n_max": summary.n_max, "memory": fixed}
    making.summary |= {"topics": meant}
    versions.note(project, project.keys["prompts"], datetime.now(UTC), summary)


def recipe_of(contract: Contract) -> dict[str, Any]:
    """Return the parts of the contract that say what a request is: two sets made by others are not alike."""
    task = contract.task
    return {
        "task": {name: getattr(task, name) for name in ("input", "where", "system", "kind", "labels")},
        "slices": {each.name: each.where for each in contract.slices},
        "teacher": {"names": sorted(contract.teacher.names)},
        "prompts": {
            "unit": contract.prompts.unit,
            "similarity": contract.prompts.similarity,
            "semantic": _meaning(contract),
        },
        "proof": {"group": contract.proof.group},
        "privacy": contract.privacy,
    }


def _meaning(contract: Contract) -> tuple[float, str] | None:
    """Return from which cosine, of which vectors, inputs are near duplicates; None where words alone decide."""
    options = contract.prompts
    return None if options.semantic is None else (options.semantic, encoders.embedder_digest(contract))


def _senders(exchanges: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    return exchanges.select("id", "user").drop_nulls("user").join(requests.select("id"), on="id", how="semi")


def _write(table: pl.DataFrame, making: Making, name: str) -> None:
    """Write a table: about as small as by default, in half the time. Nobody looks for rows by statistics."""
    table.write_parquet(making.folder / name, compression_level=1, statistics=False, row_group_size=ROWS_AT_ONCE)
    making.digests[name] = file_digest(making.folder / name)


def with_tokens(requests: pl.DataFrame, prompts: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the requests with token counts estimated where the log has none, and for how many that was so."""
    sent = prompts.select(prompt_id="id", sent=pl.col("messages").str.len_bytes() / BYTES_PER_TOKEN)
    rows = requests.join(sent, on="prompt_id", how="left", maintain_order="left")
    answered = pl.col("answer").str.len_bytes() / BYTES_PER_TOKEN
    filled = rows.with_columns(
        input_tokens=pl.coalesce("input_tokens", pl.col("sent").ceil().cast(pl.Int64)),
        output_tokens=pl.coalesce("output_tokens", answered.ceil().cast(pl.Int64)),
    )
    return filled.drop("sent"), requests["input_tokens"].null_count()


def _n_max(project: Project, requests: pl.DataFrame) -> int:
    """Choose n_max from the training window's unit sizes and the number of test units, before anything is scored."""
    contract = project.contract
    dealt = requests.filter((pl.col("window") == "training") & pl.col("split").is_not_null())
    counts = dealt.group_by("unit").len()["len"].to_numpy()
    bar = max((bar.at_least for bar in contract.bars if bar.at_least is not None), default=0.9)
    halfway = (1 + bar) / 2  # what a system worth releasing may be expected to reach
    level = family_levels(spent(1 - contract.proof.confidence, 1)).students
    units = requests.filter(pl.col("split") == "test")["unit"].n_unique()
    return suggest_n_max(counts, bar, level, halfway, units)


# What the other stages read:


def log_summary(project: Project) -> LogSummary:
    """What reading the logs gave."""
    return msgspec.json.decode((project.folder("logs") / "summary.json").read_bytes(), type=LogSummary)


def prompts(project: Project) -> pl.DataFrame:
    """Table of distinct prompts."""
    return pl.read_parquet(project.folder("prompts") / "prompts.parquet")


def requests(project: Project) -> pl.DataFrame:
    """Table of requests."""
    return pl.read_parquet(project.folder("prompts") / "requests.parquet")


def prompt_summary(project: Project) -> PromptSummary:
    """What the prompt set is made of."""
    return msgspec.json.decode((project.folder("prompts") / "summary.json").read_bytes(), type=PromptSummary)


def match(project: Project) -> Match:
    """How far the prompt set is from live traffic."""
    return msgspec.json.decode((project.folder("prompts") / "match.json").read_bytes(), type=Match)


def examples(project: Project) -> tuple[Train, Tune]:
    """Return the accepted examples, each split as its own type."""
    table = pl.read_parquet(project.folder("filters") / "examples.parquet")
    return Train(table.filter(pl.col("split") == "train")), Tune(table.filter(pl.col("split") == "tune"))
