"""Spans of a trace, in every envelope they are exported in: OTLP JSON, flat objects, columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from overproof.logs import rows
from overproof.logs.attributes import any_value, attributes, flat
from overproof.logs.rows import BadRow, Row


@dataclass
class Event:
    """Something that happened within a span, or a log record that names one."""

    name: str
    attributes: Row
    body: Any = None


@dataclass
class Span:
    """One span: attributes flat, by their dotted names."""

    place: str
    id: str = ""
    trace: str = ""
    name: str = ""
    start: object = None
    end: object = None
    attributes: Row = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    failure: str | None = None
    resource: Row = field(default_factory=dict)

    @property
    def at(self) -> datetime | None:
        """When it began."""
        return rows.when(self.start)

    @property
    def latency_ms(self) -> float | None:
        """How long it took."""
        start, end = rows.when(self.start), rows.when(self.end)
        return (end - start).total_seconds() * 1000 if start and end else None


@dataclass
class Note:
    """A log record that belongs to a span."""

    place: str
    trace: str
    span: str
    at: object
    event: Event
    resource: Row


def read(row: Row, place: str) -> list[Span | Note]:
    """Return the spans and the log records on one line; raise BadRow when it holds neither."""
    if "resourceSpans" in row or "resource_spans" in row:
        found: list[Span | Note] = list(_numbered(_enveloped(row, "Spans", "spans"), place, _span))
    elif "resourceLogs" in row or "resource_logs" in row:
        found = list(_numbered(_enveloped(row, "Logs", "logRecords"), place, _note))
    elif "SpanAttributes" in row:
        return [_from_table(row, place)]
    elif is_note(row):
        return [_note(row, {}, place)]
    elif isflat(row):
        return [_span(row, {}, place)]
    else:
        raise BadRow("not a span")
    if not found:
        raise BadRow("an envelope without spans")
    return found


def isflat(row: Row) -> bool:
    """Say whether a row is one span by itself."""
    named = any(key in row for key in ("spanId", "span_id", "context", "context.span_id", "id"))
    held = "attributes" in row or any(key.startswith("attributes.") for key in row)
    return named and held


def is_note(row: Row) -> bool:
    """Say whether a row is one log record by itself."""
    return "body" in row and any(key in row for key in ("span_id", "spanId")) and "attributes" in row


def is_any(row: Row) -> bool:
    """Say whether a row is in an envelope of spans or of log records."""
    keys = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "SpanAttributes")
    return any(key in row for key in keys) or is_note(row) or isflat(row)


# --- envelopes -------------------------------------------------------------------------------------------------------


def _enveloped(row: Row, kind: str, inner: str) -> Iterator[tuple[object, Row]]:
    """Yield what an OTLP envelope holds, with the attributes of its resource."""
    for resource in _list(row.get(f"resource{kind}") or row.get(f"resource_{kind.lower()}")):
        about = attributes(resource.get("resource", {}).get("attributes") if _is(resource.get("resource")) else None)
        scopes = ("scope" + kind, "scope_" + kind.lower(), "instrumentationLibrary" + kind)
        for scope in _list(next((resource[key] for key in scopes if key in resource), None)):
            listed = scope.get(inner, scope.get("log_records"))
            for each in listed if isinstance(listed, list) else []:
                yield each, about


def _numbered(found: Iterator[tuple[object, Row]], place: str, make: Any) -> Iterator[Span | Note]:  # noqa: ANN401 - _span or _note
    """Yield records, each with a place of its own within the line."""
    for number, (raw, about) in enumerate(found, 1):
        here = f"{place}#{number}"
        try:
            if not isinstance(raw, dict):
                raise BadRow("a span that is not a JSON object")
            yield make(raw, about, here)
        except BadRow as why:
            yield Span(here, failure=None, attributes={BROKEN: str(why)})


BROKEN = "\x00broken"
"""Attribute of a span that could not be taken apart: why."""


def _span(raw: Row, about: Row, place: str) -> Span:
    context, resource = _object(raw.get("context")), _object(raw.get("resource"))
    status = _object(raw.get("status")) or {"status_code": raw.get("status_code", raw.get("status"))}
    events = raw.get("events")
    found = Span(
        place,
        id=_first(raw, ("spanId", "span_id", "context.span_id"))
        or _first(context, ("span_id",))
        or _first(raw, ("id",)),
        trace=_first(raw, ("traceId", "trace_id", "context.trace_id")) or _first(context, ("trace_id",)),
        name=_first(raw, ("name",)),
        start=_time(raw, ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "timestamp")),
        end=_time(raw, ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")),
        attributes=_attributes(raw),
        resource=about | attributes(resource.get("attributes")),
    )
    listed = rows.unpacked(events) if isinstance(events, str) else events
    found.events = [_event(each) for each in _list(listed)]
    told = _first(status, ("code", "status_code", "statusCode"))
    if told.upper() in ("2", "ERROR", "STATUS_CODE_ERROR"):
        said = _first(status, ("message", "description")) or _first(raw, ("status_message",))
        found.failure = said or _exception(found.events) or "status ERROR"
    return found


def _from_table(row: Row, place: str) -> Span:
    """Return a span from a row of ClickHouse's `otel_traces`."""
    took = rows.number(row.get("Duration"))
    start = rows.when(row.get("Timestamp"))
    names, held = row.get("Events.Name"), row.get("Events.Attributes")
    events = zip(names, held, strict=False) if isinstance(names, list) and isinstance(held, list) else ()
    failed = "error" in _first(row, ("StatusCode",)).lower()
    return Span(
        place,
        id=_first(row, ("SpanId",)),
        trace=_first(row, ("TraceId",)),
        name=_first(row, ("SpanName",)),
        start=row.get("Timestamp"),
        end=None if start is None or took is None else start.timestamp() + took / 1e9,
        attributes=flat(attributes(row.get("SpanAttributes"))),
        events=[Event(rows.text(name) or "", attributes(each)) for name, each in events],
        failure=(_first(row, ("StatusMessage",)) or "status ERROR") if failed else None,
        resource=attributes(row.get("ResourceAttributes")),
    )


def _note(raw: Row, about: Row, place: str) -> Note:
    held = attributes(raw.get("attributes"))
    name = _first(raw, ("eventName", "event_name")) or _first(held, ("event.name",))
    body = raw.get("body")
    if isinstance(body, str):
        body = rows.unpacked(body)
    return Note(
        place,
        trace=_first(raw, ("traceId", "trace_id")),
        span=_first(raw, ("spanId", "span_id")),
        at=_time(raw, ("timeUnixNano", "observedTimeUnixNano", "timestamp", "observed_timestamp")),
        event=Event(name, held, any_value(body) if _is(body) else body),
        resource=about,
    )


def _event(raw: Row) -> Event:
    return Event(_first(raw, ("name",)), flat(attributes(raw.get("attributes"))), raw.get("body"))


def _exception(events: list[Event]) -> str:
    return next((_first(each.attributes, ("exception.message",)) for each in events if each.name == "exception"), "")


def _attributes(raw: Row) -> Row:
    """Return a span's attributes, also from columns called `attributes.NAME`."""
    found = {key[11:]: value for key, value in raw.items() if key.startswith("attributes.") and value is not None}
    return flat(attributes(raw.get("attributes")) | found)


def _object(value: object) -> Row:
    """Return a JSON object that may have been logged as its text; {} for anything else."""
    if isinstance(value, str):
        value = rows.unpacked(value)
    return value if isinstance(value, dict) else {}


def _is(value: object) -> bool:
    return isinstance(value, dict)


def _list(value: object) -> list[Row]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := rows.text(row.get(name)))), "")


def _time(row: Row, names: tuple[str, ...]) -> object:
    return next((row[name] for name in names if row.get(name) not in (None, "", 0, "0")), None)
