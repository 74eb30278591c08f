"""Recorded models on real HTTP: an OpenAI-compatible server on loopback that answers from a recording."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from overproof.core.errors import UserError
from overproof.models import blocks, serving

VERIFIER = "tern-verifier"
"""Says yes or no to an answer, as `verdicts` of the recording do."""
ANSWER = "answer"
"""Block of the last user message that holds the answer which a verifier judges (`models/blocks.py`)."""
FEW_SHOT = " few-shot"
"""What a model is called in the recording when it was shown examples first."""


class Recording:
    """What models answered, by model and by one metadata key of the request, and what a verifier said of answers.

    A request names the sample it wants by `seed` (none: the first); past the last one it starts again. So the server
    keeps no count, and a run that is resumed gets what it would have got.
    """

    def __init__(
        self,
        answers: Mapping[tuple[str, str], tuple[str, ...]],
        key: str = "ticket",
        verdicts: Mapping[tuple[str, str], bool] | None = None,
    ) -> None:
        """Lay out what was recorded.

        Args:
            answers: samples by model and place.
            key: metadata key of a request that names the place.
            verdicts: whether an answer was found right, by place and answer.
        """
        self.key = key
        self._answers = dict(answers)
        self._verdicts = dict(verdicts or {})
        self.models = tuple(sorted({model for model, _ in answers} | ({VERIFIER} if verdicts else set())))

    @classmethod
    def parse(cls, lines: Iterable[bytes], key: str = "ticket") -> Recording:
        """Return the recording in JSON Lines.

        Each line holds `key`; `answers`, a list of samples for each model; perhaps `verdicts`, true or false by answer.
        """
        answers: dict[tuple[str, str], tuple[str, ...]] = {}
        verdicts: dict[tuple[str, str], bool] = {}
        for number, line in enumerate(lines, start=1):
            try:
                row = msgspec.json.decode(line)
                for model, samples in row["answers"].items():
                    answers[model, row[key]] = tuple(samples)
                for answer, right in row.get("verdicts", {}).items():
                    verdicts[row[key], answer] = right
            except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as wrong:
                raise UserError(
                    f"line {number} of the recording needs {key!r} and `answers` by model ({wrong!r})"
                ) from wrong
        return cls(answers, key, verdicts)

    @classmethod
    def read(cls, path: Path, key: str = "ticket") -> Recording:
        """Return the recording in a file of JSON Lines, gzipped or not."""
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            return cls.parse(lines, key)

    def answer(self, model: str, place: str, sample: int = 0) -> str | None:
        """Return what `model` answered at `place`, None when nothing was recorded."""
        samples = self._answers.get((model, place))
        return samples[sample % len(samples)] if samples else None

    def verdict(self, place: str, answer: str) -> str | None:
        """Return "yes" or "no" to `answer` at `place`, None when nothing was recorded."""
        right = self._verdicts.get((place, answer))
        return None if right is None else "yes" if right else "no"

    def shown(self, model: str, messages: Sequence[Any]) -> str:
        """Return the recorded model that answers: one that was shown examples where the request shows some.

        Earlier turns of an assistant are examples. Where nothing was recorded with examples it is `model` itself.
        """
        examples = any(isinstance(turn, dict) and turn.get("role") == "assistant" for turn in messages)
        return model + FEW_SHOT if examples and model + FEW_SHOT in self.models else model


@asynccontextmanager
async def serve(recording: Recording) -> AsyncIterator[str]:
    """Serve `recording` until left; yields the base URL."""

    async def completions(request: web.Request) -> web.StreamResponse:
        return respond(recording, await request.read())

    async with serving.listening(completions, recording.models) as base_url:
        yield base_url


def respond(recording: Recording, data: bytes) -> web.Response:
    """Return the response to one request body."""
    body = serving.parsed(data)
    if isinstance(body, web.Response):
        return body
    model, metadata, seed = body["model"], body.get("metadata") or {}, body.get("seed") or 0
    if model not in recording.models:
        known = ", ".join(recording.models)
        return serving.error(404, f"no model is called {model!r}; there are: {known}", "model_not_found")
    if not isinstance(metadata, dict) or not isinstance(place := metadata.get(recording.key), str):
        return serving.error(400, f"the request needs metadata.{recording.key}", "metadata_missing")
    if not isinstance(seed, int):
        return serving.error(400, "`seed` is not a whole number", "invalid_seed")
    if model == VERIFIER:
        judged = _judged(body["messages"])
        text, what = recording.verdict(place, judged), f"verdict on {judged!r}"
    else:
        text, what = recording.answer(recording.shown(model, body["messages"]), place, seed), f"answer of {model!r}"
    if text is None:
        return serving.error(404, f"no {what} is recorded for {place!r}", "recording_not_found")
    return web.Response(body=serving.completion(body, text), content_type=serving.JSON)


def _judged(messages: Sequence[Any]) -> str:
    """Return the answer that stands in a block of its own in the last turn of the user, "" where there is none."""
    turns = [turn for turn in messages if isinstance(turn, dict) and turn.get("role") == "user"]
    content = turns[-1].get("content") if turns else None
    return (blocks.unquoted(ANSWER, content) if isinstance(content, str) else None) or ""
