"""Look into logs before there is a contract: which tasks are there, what they cost, which could be distilled."""

from __future__ import annotations

from functools import partial

import msgspec
import polars as pl

from overproof.discovery.describe import Help
from overproof.discovery.discover import Discovered
from overproof.discovery.discover import discover as find
from overproof.discovery.records import Discovery
from overproof.filters.refusals import declines
from overproof.logs.account import told
from overproof.pipeline.first_look import logged
from overproof.pipeline.labels import labels_in
from overproof.pipeline.progress import Listener
from overproof.prompts.options import PromptsOptions
from overproof.prompts.units import near_duplicates
from overproof.students.linear import Linear


def discover(logs: str, *, probe: bool = True, listen: Listener | None = None) -> Discovery:
    """Return the tasks in `logs` (a file, folder or glob); `probe` fits a cheap student to the largest.

    Raises:
        UserError: no file is there, or none can be read.
    """
    held = logged(logs, listen)
    found = look_into(held.exchanges, probe=probe, listen=listen).record
    return msgspec.structs.replace(found, notes=(*told(held.summary, held.set_aside), *found.notes))


def look_into(exchanges: pl.DataFrame, *, probe: bool, listen: Listener | None = None) -> Discovered:
    """Return the tasks in a table of `Exchange`, with the work of other stages handed in."""
    if listen is not None:
        listen.step("discover", f"{exchanges.height} calls")
    similarity = PromptsOptions().similarity
    handed = Help(
        find_labels=labels_in,
        declines=declines,
        cluster=partial(near_duplicates, similarity=similarity),
        student=Linear() if probe else None,
    )
    return find(exchanges, handed)
