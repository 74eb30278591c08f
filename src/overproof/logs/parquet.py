"""Read the same rows from Parquet: request/response columns, or plain input/output ones."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import openai, pairs
from overproof.logs.rows import BadRow

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"PAR1"
BATCH = 20_000
"""Rows held as Python objects at once."""


class ParquetReader(Record):
    """A Parquet file whose columns are the fields of `openai` or `pairs` rows, nested or as JSON text."""

    name: str = "parquet"

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return 1 for the format's own first bytes."""
        return 1.0 if head and head[0].startswith(MAGIC) else 0.0

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order; a file that is not Parquet, or breaks off, is set aside as one row."""
        import polars as pl

        try:
            whole = stream if stream.seekable() else io.BytesIO(stream.read())  # the format is read from its end
            yield from _rows(pl.scan_parquet(whole), source)
        except pl.exceptions.PolarsError as wrong:
            yield SetAside(source=source, reason=f"not readable as Parquet: {str(wrong).splitlines()[0]}")


def _rows(table: pl.LazyFrame, source: str) -> Iterator[Exchange | SetAside]:
    columns = table.collect_schema().names()
    is_pair = pairs.fits(dict.fromkeys(columns)) and not any(name in columns for name in openai.REQUEST)
    convert = pairs.exchange if is_pair else openai.exchange
    number = 0
    for batch in table.collect_batches(chunk_size=BATCH, maintain_order=True):
        for row in batch.iter_rows(named=True):
            number += 1
            place = f"{source}:{number}"
            try:
                yield convert(_said(row), place)
            except BadRow as why:
                yield SetAside(source=place, reason=str(why), excerpt=str(row)[:1000])


def _said(value: Any) -> Any:  # noqa: ANN401 - a column may hold anything
    """Leave out nulls at every depth: columns make all structs alike, and what a row did not say is no part of it."""
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_said(item) for item in value]
    return value
