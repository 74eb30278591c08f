"""What to do after a call that gave no answer: try again, give up the row, or stop the run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Literal

from overproof.core.types import Record
from overproof.models import wire

LONGEST_PAUSE_S = 30.0
"""Pauses that we choose ourselves stop growing here."""
PATIENCE_S = 120.0
"""A provider that asks for a longer pause is out of quota, not busy: the run stops and says so."""

_RETRIED = frozenset({408, 409, 425, 429})
_STOPS = frozenset({401, 402, 403, 404})


class Fault(Record):
    """Why an attempt gave no answer, and what that means."""

    error: str
    then: Literal["retry", "give up", "stop"]
    """`give up` loses this row alone; `stop` means that no row can be answered."""
    status: int | None = None
    """None when there was no answer at all."""
    after_s: float | None = None
    """Seconds the provider asked us to wait."""
    pushed_back: bool = False
    """We came too fast."""


def judge(status: int, headers: Mapping[str, str], data: bytes, *, key_works: bool = False) -> Fault:
    """Say what an answer with `status` other than 200 means.

    `key_works`: the endpoint has answered before, so a 403 is about this prompt and not about the key.
    """
    said = wire.complaint(data)
    error = f"HTTP {status}: {wire.error_text(data)}".rstrip(": ")
    after_s = retry_after(headers)
    if (said and said.code == "insufficient_quota") or (after_s or 0) > PATIENCE_S:
        return Fault(error=error, then="stop", status=status, after_s=after_s)
    if status in _RETRIED or status >= 500:
        return Fault(error=error, then="retry", status=status, after_s=after_s, pushed_back=status == 429)
    about_this_row = (status == 403 and key_works) or (status == 404 and _names_a_row(said))
    stops = status in _STOPS and not about_this_row
    return Fault(error=error, then="stop" if stops else "give up", status=status)


def _names_a_row(said: wire.Complaint | None) -> bool:
    """A 404 is about the model or the address unless its code names something else."""
    return said is not None and isinstance(said.code, str) and said.code not in ("", "model_not_found", "404")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a provider asked us to wait, from `retry-after-ms` or `Retry-After` (seconds or a date).

    A date is held against the provider's own clock where it sent one. `headers` finds names whatever their case.
    """
    try:
        if (exact := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(exact) / 1000)
        said = headers.get("Retry-After")
        if said is None:
            return None
        if said.strip().replace(".", "", 1).isdigit():
            return float(said)
        sent = headers.get("Date")
        now = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
        return max(0.0, (_aware(parsedate_to_datetime(said)) - _aware(now)).total_seconds())
    except ValueError:  # neither number nor date: as if nothing had been said
        return None


def pause(attempt: int, after_s: float | None, first_s: float, rng: Random) -> float:
    """Return the seconds to wait after attempt number `attempt` (from 0).

    Our own pauses double from `first_s`, with up to half taken off by chance, so that requests that failed together do
    not come back together. What the provider asked for is kept to, plus up to a tenth.
    """
    if after_s is not None:
        return after_s * rng.uniform(1.0, 1.1)
    return min(LONGEST_PAUSE_S, first_s * 2.0**attempt) * rng.uniform(0.5, 1.0)


def _aware(moment: datetime) -> datetime:
    """HTTP dates are UTC, but `-0000` is parsed as a time without zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
