"""What regular rows of a log look like, learned from a sample, so that they are decoded without a look at each field.

A shape accepts less than its reader does: a row it refuses is not a bad one, the reader looks at it by itself. What it
accepts it reads as the reader would; `tests/logs/test_logs_regular.py` holds the two together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from overproof.logs import openai, pairs
from overproof.logs.rows import PLACES, SYNONYMS, Row

Scalar = str | int | float | bool | None
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Word = Annotated[str, Meta(min_length=1)]
TYPES: dict[str, Any] = {
    "id": str | int | None,
    "at": str | int | float | None,
    "model": str | None,
    "user": str | None,
    "conversation": str | None,
    "release": str | None,
    "status": Annotated[int, Meta(ge=200, le=299)] | None,
    "latency_ms": float | None,
    "latency_s": float | None,
    "cost_usd": float | None,
    "input_tokens": Count | None,
    "output_tokens": Count | None,
    "finish_reason": str | None,
    "error": None,
    "gold": str | None,
    "usage": None,
}
"""What a place of `SYNONYMS` may hold in a regular row; calls that failed are not regular."""
RARE = 0.02
"""Share of the rows, at least, that must have a field for rows with it to be regular."""
_UNFIT = re.compile(r'[\x00-\x1f"\\]')


class Struct(msgspec.Struct, gc=False):
    """Holds no cycles: the collector need not look at it."""


class Turn(Struct, forbid_unknown_fields=True):
    """A message that is its text and nothing else; the fields stand as in canonical JSON."""

    content: str
    role: Word


class Answer(Struct):
    """The message of a choice that calls no tool."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: None = None
    function_call: None = None


class Choice(Struct):
    """What the model said."""

    message: Answer
    finish_reason: str | None = None
    logprobs: None = None


class Usage(msgspec.Struct, gc=False, frozen=True):
    """What was counted."""

    input_tokens: Count | None = None
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    completion_tokens: Count | None = None
    cost: float | None = None


class Response(Struct):
    """A chat completion; the reader passes over all its other fields, too."""

    choices: Annotated[list[Choice], Meta(min_length=1)]
    id: str | None = None
    model: str | None = None
    created: int | None = None
    created_at: None = None
    usage: Usage = Usage()
    status_code: None = None
    body: None = None
    error: None = None


class Fields:
    """A struct made for the keys a sample has, and where each key is found in it."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        """`types` by key; a `Raw` may be missing, whatever may be None may too, the others must be there."""
        self.at = {key: f"f{i}" for i, key in enumerate(types)}
        fields = [_field(self.at[key], kind) for key, kind in types.items()]
        renamed = {name: key for key, name in self.at.items()}
        self.struct = msgspec.defstruct(
            "Fields", fields, forbid_unknown_fields=True, kw_only=True, rename=renamed, gc=False
        )

    def __contains__(self, key: str) -> bool:
        return key in self.at


def _field(name: str, kind: Any) -> tuple[str, Any] | tuple[str, Any, Any]:  # noqa: ANN401 - a type is anything
    if kind is msgspec.Raw or kind == str | UnsetType:
        return name, kind, UNSET
    optional = kind is None or type(None) in getattr(kind, "__args__", ())
    return (name, kind, None) if optional else (name, kind)


class Shape:
    """A decoder of regular rows, and what it found where."""

    def __init__(self, sample: Sequence[Row], own: Mapping[str, Any]) -> None:
        """`own` are the fields that the reader reads by itself, with their types (`Raw` where it only passes them)."""
        keys = sorted(_keys(sample))
        self.extras: list[str] = []
        """Keys of single values that become metadata, sorted."""
        types: dict[str, Any] = {}
        for key in keys:
            if key in own:
                types[key] = own[key]
            elif key in PLACES:
                place = PLACES[key]
                types[key] = metadata([row.get(key) for row in sample]) if place == "metadata" else TYPES[place]
            elif any(isinstance(row.get(key), dict | list) for row in sample):
                types[key] = dict[str, Any] | list[Any] | None  # nested fields nobody knows are left out
            else:
                types[key] = Scalar
                self.extras.append(key)
        self.fields = Fields(types)
        self.decoder = msgspec.json.Decoder(self.fields.struct)

    def known(self, place: str) -> list[str]:
        """Return the struct's fields for a place of `SYNONYMS`, the first that counts first."""
        return [self.fields.at[key] for key in SYNONYMS[place] if key in self.fields]


class PairsShape(Shape):
    """Plain pairs: one text in, one text out."""

    def __init__(self, sample: Sequence[Row], asked: str, answered: str) -> None:
        own = {asked: str, answered: str, "system": str | None, "parameters": msgspec.Raw}
        super().__init__(sample, own)
        self.asked, self.answered = self.fields.at[asked], self.fields.at[answered]


class OpenAIShape(Shape):
    """A chat request and its completion."""

    def __init__(self, sample: Sequence[Row], asked: str, answered: str, requests: Sequence[Row]) -> None:
        keys = _keys(requests)
        self.parameters = sorted(keys - openai.NOT_PARAMETERS)
        types: dict[str, Any] = dict.fromkeys(sorted(keys), msgspec.Raw)
        said: dict[str, Any] = {
            "messages": Annotated[list[Turn], Meta(min_length=1)],
            "model": str | UnsetType,
            "user": str | None,
            "safety_identifier": str | None,
            "metadata": metadata([each.get("metadata") for each in requests]),
        }
        self.request = Fields(
            {key: said.get(key, kind) for key, kind in types.items()} | {"messages": said["messages"]}
        )
        super().__init__(
            sample, dict.fromkeys(openai.OWN, msgspec.Raw) | {asked: self.request.struct, answered: Response}
        )
        self.asked, self.answered = self.fields.at[asked], self.fields.at[answered]


def learn(sample: Sequence[Row], form: str) -> PairsShape | OpenAIShape | None:
    """Return the shape of a log in the format `form`, None where no row is regular."""
    keys = _keys(sample)
    if form == "pairs":
        asked, answered = keys.intersection(pairs.INPUT), keys.intersection(pairs.OUTPUT)
        return PairsShape(sample, asked.pop(), answered.pop()) if len(asked) == len(answered) == 1 else None
    if form != "openai":
        return None
    asked, answered = keys.intersection(openai.REQUEST), keys.intersection(openai.RESPONSE)
    if not len(asked) == len(answered) == 1:
        return None
    requests = [request for row in sample if isinstance(request := row.get(next(iter(asked))), dict)]
    if any(key in request for request in requests for key in ("user_id", "end_user")):
        return None  # they are a user and a parameter both
    return OpenAIShape(sample, asked.pop(), answered.pop(), requests)


def _keys(sample: Sequence[Row]) -> set[str]:
    """Return the fields rows have, but for those that hardly any has, or that no struct can have."""
    counts = Counter(key for row in sample for key in row)
    return {key for key, n in counts.items() if n >= RARE * len(sample) and _UNFIT.search(key) is None}


def metadata(values: Sequence[object]) -> Any:  # noqa: ANN401 - a type is anything
    """Return the type of the metadata in a sample."""
    texts = all(isinstance(each, str) for value in values if isinstance(value, dict) for each in value.values())
    return dict[str, str] | None if texts else dict[str, Scalar] | None
