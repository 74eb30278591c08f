"""Mask what is private in a table of exchanges: every text, the names of fields, and ids that are someone's address."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec
import polars as pl

from overproof.core.chance import canonical
from overproof.tasks.names import Names
from overproof.tasks.private import SUSPECT, SUSPECT_NAME
from overproof.tasks.redact import WRITING, Masks, excerpt, pseudonym, redact_record

TEXTS = ("answer", "gold", "error")
FIELDS = ("messages", *TEXTS, "parameters", "metadata")
"""Columns that are masked, in the order in which placeholders are numbered; all but `TEXTS` hold JSON."""
NAMES = {
    "user": "user",
    "conversation": "conversation",
    "id": "request",
    "model": "model",
    "answered_by": "model",
    "release": "release",
}
"""Columns that name someone or something: never masked within, but replaced whole by a stable pseudonym."""
PERSONAL = {"user": r"[@ ]|^\+?[0-9][0-9()./-]{8,}$"}
OTHERWISE = r"[@ ]|^\+[0-9]"
"""What such a name must hold to be looked at: requests are counted in bare digits far more often than users are."""
OPAQUE = re.compile(r"(?:data:[\w.+/;=-]*,)?[\w+/=-]{4096,}")
"""Such a text inside a message's extra parts is data (an image, a sound), not writing."""
FINISHES = (
    *("stop", "stop_sequence", "end_turn", "pause_turn", "eos", "eos_token", "completed"),
    *("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded", "incomplete"),
    *("content_filter", "safety", "recitation", "refusal", "tool_calls", "tool_use", "function_call"),
    *("error", "failed", "cancelled", "abort", "timeout"),
)
"""Finish reasons that providers give, in lower case; anything else could be anything, and becomes `other`."""

_PHONE_NAME = re.compile(r"(?i)(?:^|[_.-])(?:phone|tel|telephone|telefon|mobile|handy|cell|fax|whatsapp)(?:[_.-]|$)")
_KEY_NAME = re.compile(r"(?:^|[_.-]|(?<=[a-z0-9])(?=[A-Z]))(?i:key|apikey|secret|token)$")
_PASSWORD_NAME = re.compile(r"(?:^|[_.-]|(?<=[a-z0-9])(?=[A-Z]))(?i:passwor[dt]|passwd|pwd|contraseña)$")


def redact_table(exchanges: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a table of `Exchange` masked, and in how many texts each kind was found.

    Polars finds the fields in which something could be private; only those are taken apart.
    """
    could = exchanges.select(pl.col(name).str.contains(SUSPECT).fill_null(value=False) for name in FIELDS)
    places = could.select(pl.any_horizontal(FIELDS).arg_true()).to_series()
    counts: Counter[str] = Counter()
    clean: set[str] = set()
    columns: dict[str, list[str | None]] = {name: [] for name in FIELDS}
    rows = exchanges[places].select(FIELDS).iter_rows()
    for row, suspects in zip(rows, could[places].iter_rows(), strict=True):
        masks = Masks([value for value in row if value], clean)
        for name, value, suspect in zip(FIELDS, row, suspects, strict=True):
            columns[name].append(_masked(masks, name, value, counts) if suspect else value)
    changed = [exchanges[name].scatter(places, pl.Series(values, dtype=pl.String)) for name, values in columns.items()]
    return _renamed(exchanges.with_columns(*changed, _finish())), dict(sorted(counts.items()))


def redact_set_aside(set_aside: pl.DataFrame) -> pl.DataFrame:
    """Return rows set aside with what they show of themselves masked: the excerpt, and the reason, which may quote."""
    quoted = set_aside["reason"].unique()
    reasons = pl.Series([redact_record([each])[0][0] for each in quoted], dtype=pl.String)
    excerpts = pl.Series([excerpt(each) for each in set_aside["excerpt"]], dtype=pl.String)
    return set_aside.with_columns(
        pl.col("reason").replace_strict(quoted, reasons, return_dtype=pl.String), excerpt=excerpts
    )


def mask_names(exchanges: pl.DataFrame, people: Names) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a table that `redact_table` made with names masked too, and in how many texts each kind was found.

    Names are looked for in what messages say and in answers and errors that are writing; not in fields, ids and gold.
    """
    counts: Counter[str] = Counter()
    columns: dict[str, list[str | None]] = {name: [] for name in ("messages", "answer", "error")}
    clean: set[str] = set()
    for messages, answer, error in exchanges.select(*columns).iter_rows():
        masks = Masks([messages, answer or "", error or ""], clean, people)
        turns = msgspec.json.decode(messages)
        _last_said(masks, turns)
        turns = [{**turn, "content": masks.mask(turn["content"], counts)} for turn in turns]
        columns["messages"].append(canonical(turns).decode())
        for name, text in (("answer", answer), ("error", error)):
            is_label = text is None or len(text) < WRITING
            columns[name].append(text if is_label else masks.mask(text or "", counts))
    changed = [pl.Series(name, values, dtype=pl.String) for name, values in columns.items()]
    return exchanges.with_columns(changed), dict(sorted(counts.items()))


def _finish() -> pl.Expr:
    """Keep a finish reason as it is spelled, if it is one."""
    reason = pl.col("finish_reason")
    known = reason.is_null() | reason.str.to_lowercase().is_in(FINISHES)
    return pl.when(known).then(reason).otherwise(pl.lit("other")).alias("finish_reason")


def _masked(masks: Masks, name: str, value: str, counts: Counter[str]) -> str:
    """Return a text, or the texts inside a JSON text, masked."""
    if name in TEXTS:
        return masks.mask(value, counts)
    decoded = msgspec.json.decode(value)
    return canonical(_turns(masks, decoded, counts) if name == "messages" else _walk(masks, decoded, counts)).decode()


def _turns(masks: Masks, turns: list[dict[str, Any]], counts: Counter[str]) -> list[dict[str, Any]]:
    """Mask messages, the user's last turn first."""
    _last_said(masks, turns)
    return [_turn(masks, turn, counts) for turn in turns]


def _last_said(masks: Masks, turns: list[dict[str, Any]]) -> None:
    """Number the user's last turn first, as it is where nothing else of the request is known."""
    for turn in reversed(turns):
        if turn["role"] == "user":
            masks.mask(turn["content"], Counter())
            return


def _turn(masks: Masks, turn: dict[str, Any], counts: Counter[str]) -> dict[str, Any]:
    """Mask a message: its content is writing however long, the rest may be data."""
    rest = {key: value for key, value in turn.items() if key != "content"}
    return {**_walk(masks, rest, counts), "content": masks.mask(turn["content"], counts)}


def _walk(masks: Masks, value: Any, counts: Counter[str], name: str = "") -> Any:  # noqa: ANN401 - JSON is anything
    """Mask every text inside a JSON value, keys included; `name` is the field it stands in."""
    if isinstance(value, str):
        if len(value) > 4096 and OPAQUE.fullmatch(value):
            return value
        return _in_field(masks, value, counts, name)
    if isinstance(value, int) and value >= 1_000_000:  # a card or a phone number that somebody took for a count
        masked_number = _in_field(masks, str(value), counts, name)
        return value if masked_number == str(value) else masked_number
    if isinstance(value, dict):
        masked: dict[str, Any] = {}
        for key, item in value.items():
            masked[_free(_in_field(masks, key, counts, name), masked)] = _walk(masks, item, counts, key)
        return masked
    if isinstance(value, list):
        return [_walk(masks, item, counts, name) for item in value]
    return value


def _free(key: str, taken: dict[str, Any]) -> str:
    """Return a key that is not taken: two spellings of one address are one placeholder, and still two fields."""
    return key if key not in taken else next(each for n in count(2) if (each := f"{key} ({n})") not in taken)


def _in_field(masks: Masks, value: str, counts: Counter[str], name: str) -> str:
    """Mask a field's text with what its name says: digits in a field called `phone` are a phone number."""
    lead = _lead(name)
    return masks.mask(lead + value, counts)[len(lead) :]


@lru_cache(maxsize=1024)
def _lead(name: str) -> str:
    if _PHONE_NAME.search(name):
        return "phone: "
    return "password: " if _PASSWORD_NAME.search(name) else "token: " if _KEY_NAME.search(name) else ""


def _renamed(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Give a pseudonym to every name that is a mail address, a phone number, a key or the like."""
    for name, kind in NAMES.items():
        distinct = exchanges[name].drop_nulls().unique()
        suspects = distinct.filter(distinct.str.contains(f"{PERSONAL.get(name, OTHERWISE)}|{SUSPECT_NAME}"))
        names = {value: pseudonym(value, kind) for value in suspects if _is_personal(value)}
        if names:
            exchanges = exchanges.with_columns(pl.col(name).replace(names))
    return exchanges


def _is_personal(value: str) -> bool:
    """Say whether a whole id is private: as a text would be, or as a number that can be called."""
    digits = sum(map(str.isdigit, value))
    return (10 <= digits <= 15 and not any(map(str.isalpha, value))) or redact_record([value])[0][0] != value
