"""What topics mean, fixed from the first decision on: a slice over topics goes on meaning what it meant.

Light at module level: every run asks whether the prompt set that is there still agrees with what is fixed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from overproof.core.errors import UserError
from overproof.core.store import MANIFEST, write
from overproof.models import topic_file
from overproof.models.topic_file import FILE
from overproof.pipeline.project import Project

if TYPE_CHECKING:
    import polars as pl

    from overproof.models.topics import Topics


def fixed_id(project: Project) -> str:
    """Return the id of what is fixed, "" before. Raises as `fixed`."""
    if not project.topics.exists():
        return ""
    with _readable(project.topics):
        return topic_file.read(project.topics.read_bytes()).id


def fixed(project: Project) -> Topics | None:
    """Return what topics were fixed to mean; None before.

    Raises:
        UserError: the file is damaged.
    """
    return _read(project.topics)


def of_prompts(project: Project) -> Topics | None:
    """Return what topics mean in the present prompt set; None where no slice speaks of them."""
    return _read(project.folder("prompts") / FILE)


def fix(project: Project, topics: Topics | None) -> None:
    """Fix what topics mean; what was fixed before stays. That there were none for want of units is not fixed."""
    if topics is not None and topics.names and not project.topics.exists():
        write(project.topics, topics.file())


def named(project: Project, requests: pl.DataFrame, prompts: pl.DataFrame) -> pl.Series:
    """Return the topic of each of some requests, by their `prompt_id`; fixes what topics mean if nothing has yet."""
    topics = of_prompts(project) or fixed(project)
    if topics is None:
        topics = _fitted(project, prompts)
        fix(project, topics)
    return topics.named(_with_inputs(requests.select("prompt_id"), prompts)["input"])


def _fitted(project: Project, prompts: pl.DataFrame) -> Topics:
    """Find topics as the prompt set would have found them."""
    from overproof.pipeline import data
    from overproof.prompts.topics import fit

    contract = project.contract
    requests = _with_inputs(data.requests(project), prompts)
    return fit(requests, contract.prompts.seed, grouped=contract.proof.group is not None)


def _with_inputs(requests: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    inputs = prompts.select("input", prompt_id="id")
    return requests.join(inputs, on="prompt_id", how="left", maintain_order="left")


def forget(project: Project, theirs: Iterable[str], of_others: Iterable[str]) -> Iterator[Path]:
    """Take every word out of all topics that stands in texts of `theirs` and in none `of_others`.

    Yields the prompt sets that were changed. A topic named by such a word has no name any more.
    """
    sets = (path.with_name(FILE) for path in (project.store.root / "prompts").glob(f"*/{MANIFEST}"))
    places = [path for path in (project.topics, *sets) if path.exists()]
    told = _words(theirs) if places else frozenset()
    gone = told - _words(of_others) if told else told
    for path in places:
        topics = _read(path)
        if topics is None or gone.isdisjoint(topics.words):
            continue
        without = topics.without(gone)
        nameless = [name for name in topics.names if name not in without.names]
        if path != project.topics:
            _unname(path.with_name("requests.parquet"), nameless)
        write(path, without.file())
        if path != project.topics:
            yield path.parent


def _words(texts: Iterable[str]) -> frozenset[str]:
    import polars as pl

    from overproof.models.topics import counted

    return frozenset(counted(pl.Series(list(texts), dtype=pl.String)).word)


def _unname(requests: Path, names: list[str]) -> None:
    """Take names of topics out of a table of requests."""
    import polars as pl

    if names:
        table = pl.read_parquet(requests).with_columns(pl.col("topic").replace(names, ""))
        neighbour = requests.with_name(f".{requests.name}.new")
        table.write_parquet(neighbour)
        neighbour.replace(requests)


def _read(path: Path) -> Topics | None:
    if not path.exists():
        return None
    from overproof.models.topics import read

    with _readable(path):
        return read(path.read_bytes())


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as broken:
        raise UserError(f"{path} cannot be read ({broken}): restore the file") from broken
