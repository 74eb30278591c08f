"""What can be turned about the prompt set."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from overproof.core.types import Record


class SliceOptions(Record):
    """One `[[slices]]` table: a part of the traffic that matters by itself."""

    name: str
    where: str
    """SQL expression over metadata and derived columns (`length`, `language`, `repeat`, `label`, `predicted_label`)."""
    critical: bool = False
    """It must be certified by itself, or the teacher goes on answering it."""


class PromptsOptions(Record):
    """The `[prompts]` table."""

    evaluation_share: float = 0.5
    """Share of the log's requests in the evaluation window, at most 0.5; the newest requests fill it."""
    tune_share: float = 0.15
    """Share of the training window's units that tune rather than train."""
    test_share: float = 0.5
    """Share of the evaluation window's units that test rather than calibrate."""
    similarity: float = 0.7
    """Jaccard similarity of word pairs from which two inputs are near duplicates, verified for every pair; long ones
    also join when a few words were changed here and there. Lower joins more: a missed duplicate makes proofs too sure,
    a false one only makes them need more data."""
    semantic: Annotated[float, Meta(ge=0.8, le=1)] | None = None
    """Cosine of their embeddings from which inputs are near duplicates too, whatever words they use; embeddings are the
    token vectors of `embedder`, added up. None compares words alone."""
    embedder: str = "minilm"
    """The installed encoder whose token vectors `semantic` compares."""
    unit: tuple[Literal["near_duplicate", "conversation", "user"], ...] | Literal["auto"] = "auto"
    """What joins requests into one unit of evidence. `auto`: all three where known, but not users or conversations when
    joining by them would chain more than a twentieth of all requests into one unit; the report says what was joined."""
    seed: str = "overproof"
    """Names the hash that deals units to splits."""
