"""The varying part of a request: what a student sees of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from overproof.core.chance import canonical
from overproof.core.errors import UserError
from overproof.core.types import Message
from overproof.tasks import templates

if TYPE_CHECKING:
    import polars as pl

INSTRUCTIONS = ("system", "developer")
TEMPLATE = "template:"
STEP = re.compile(r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>-?[0-9]+)\]|\['(?P<quoted>[^']+)'\]")

Extractor = Callable[[Sequence[Message], Mapping[str, Any]], str | None]


class UnreadableInput(UserError):
    """`task.input` is none of the ways to read a request."""

    def __init__(self, how: str, fault: str) -> None:
        super().__init__(
            f"task.input {how!r} {fault}; write 'last_user', 'all', a path into the request made of .name, [number] "
            f"and ['name'], such as '$.messages[1].content' or '$.messages[-1].content', or 'template: Text: {{input}}'"
        )


def extract(messages: Sequence[Message], parameters: Mapping[str, Any], how: str) -> str | None:
    """Return the varying part of a request, None when it has none (or only white space).

    `last_user` is the last turn of the user; `all` is every turn but the instructions (system and developer), which
    are the same in each request, with the roles written before them where there is more than one; a path leads into
    `{"messages": [...], **parameters}`, and what it finds is written as JSON unless it is text; a template
    (`tasks.templates`) is held against the last turn of the user, and what stands in its slot `input` is returned.
    """
    return _blank_is_none(extractor(how)(messages, parameters))


def extract_column(exchanges: pl.DataFrame, how: str) -> pl.Series:
    """Return `extract` for each row of a table of `Exchange`; every distinct request is read once."""
    keys = ["messages", "parameters"]
    distinct = exchanges.select(keys).unique()
    inputs = distinct.with_columns(input=extract_each(distinct, how))
    return exchanges.select(keys).join(inputs, on=keys, how="left", maintain_order="left")["input"]


def extract_each(requests: pl.DataFrame, how: str) -> pl.Series:
    """Return `extract` for each row of a table that has `messages` and `parameters`, which are all different."""
    import polars as pl

    if how == "last_user":
        return _last_said(requests["messages"])
    return pl.Series("input", _each(requests, how), dtype=pl.String)


def _last_said(messages: pl.Series) -> pl.Series:
    """Return the last turn of the user; as text of the JSON where that ends with it, and nothing in it is escaped."""
    end = '","extra":{},"role":"user"}]'
    said = messages.str.strip_suffix(end).str.split('{"content":"').list.last()
    plain = messages.str.ends_with(end) & ~said.str.contains("\\", literal=True) & said.str.contains(r"[\pL\pN]")
    others = (~plain).arg_true()
    return said.scatter(others, _each(messages.gather(others).to_frame(), "last_user")).alias("input")


def _each(requests: pl.DataFrame, how: str) -> list[str | None]:
    read = extractor(how)
    of_messages = how in ("last_user", "all") or how.startswith(("$.messages", TEMPLATE))
    given = [{}] * len(requests) if of_messages else list(map(msgspec.json.decode, requests["parameters"]))
    said = _decoded(requests["messages"].to_list(), how)
    return [_blank_is_none(read(turns, each)) for turns, each in zip(said, given, strict=True)]


class _Said(msgspec.Struct, gc=False):
    """What of a message a reader looks at that asks for nothing but what was said."""

    role: str
    content: str


def _decoded(messages: Sequence[str], how: str) -> Iterator[Sequence[Message]]:
    """Yield conversations; without what else a turn carried, unless a path may lead there."""
    kind: Any = tuple[Message, ...] if how.startswith("$") else tuple[_Said, ...]
    return map(msgspec.json.Decoder(kind).decode, messages)


@cache
def extractor(how: str) -> Extractor:
    """Return the function that reads a request as `how` says; raise a `UserError` when it says nothing known."""
    if how == "last_user":
        return _last_user
    if how == "all":
        return _all
    if how.startswith(TEMPLATE):
        return _in_template(how)
    if not how.startswith("$"):
        raise UnreadableInput(how, "is no known way to read a request")
    return _follow(_steps(how))


def instructions(messages: Sequence[Message]) -> str:
    """Return what the system and developer turns say, a blank line between them."""
    return "\n\n".join(each.content for each in messages if each.role in INSTRUCTIONS).strip()


def instructed(exchanges: pl.DataFrame, systems: Sequence[str]) -> pl.Series:
    """Return whether the instructions of each row of a table of `Exchange` fit one of the templates `systems`."""
    import polars as pl

    known = [templates.parse(text) for text in systems]
    fit = cache(lambda text: templates.fits(text, known))
    messages = msgspec.json.Decoder(tuple[Message, ...])
    found = [fit(instructions(messages.decode(text))) for text in exchanges["messages"]]
    return pl.Series("instructed", found, dtype=pl.Boolean)


def _in_template(how: str) -> Extractor:
    template = templates.parse(how.removeprefix(TEMPLATE))
    if template.slots.count("input") != 1:
        raise UnreadableInput(how, "does not have one slot {input}")
    place = template.slots.index("input")

    def read(messages: Sequence[Message], parameters: Mapping[str, Any]) -> str | None:
        turn = _last_user(messages, parameters)
        values = None if turn is None else template.values(turn)
        return None if values is None else values[place]

    return read


def _last_user(messages: Sequence[Message], parameters: Mapping[str, Any]) -> str | None:
    del parameters
    for each in reversed(messages):
        if each.role == "user":
            return each.content
    return None


def _all(messages: Sequence[Message], parameters: Mapping[str, Any]) -> str | None:
    del parameters
    turns = [each for each in messages if each.role not in INSTRUCTIONS]
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{each.role}: {each.content}" for each in turns)


def _steps(path: str) -> tuple[str | int, ...]:
    """Return the names and places that `path` passes through."""
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        step = STEP.match(path, at)
        if step is None:
            raise UnreadableInput(path, f"cannot be followed from {path[at:]!r}")
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        at = step.end()
    if not steps:
        raise UnreadableInput(path, "leads nowhere")
    return tuple(steps)


def _follow(steps: tuple[str | int, ...]) -> Extractor:
    def read(messages: Sequence[Message], parameters: Mapping[str, Any]) -> str | None:
        place: Any = {**parameters, "messages": [_turn(each) for each in messages]}
        for step in steps:
            place = _inside(place, step)
        if place is None or isinstance(place, str):
            return place
        return canonical(place).decode()

    return read


def _turn(message: Message) -> dict[str, Any]:
    return {**message.extra, "role": message.role, "content": message.content}


def _inside(place: Any, step: str | int) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what lies one step further, None when there is nothing."""
    if isinstance(step, int):
        return place[step] if isinstance(place, list) and -len(place) <= step < len(place) else None
    return place.get(step) if isinstance(place, dict) else None


def _blank_is_none(text: str | None) -> str | None:
    return text if text and not text.isspace() else None
