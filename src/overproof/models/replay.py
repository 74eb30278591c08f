"""Recorded models on real HTTP: an OpenAI-compatible server on loopback that answers from a recording."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from overproof.core.errors import UserError
from overproof.models import serving


class Recording:
    """What models answered, by model and by one metadata key of the request.

    A request names the sample it wants by `seed` (none: the first); past the last one it starts again. So the server
    keeps no count, and a run that is resumed gets what it would have got.
    """

    def __init__(self, answers: Mapping[tuple[str, str], tuple[str, ...]], key: str = "ticket") -> None:
        self.key = key
        self.models = tuple(sorted({model for model, _ in answers}))
        self._answers = dict(answers)

    @classmethod
    def parse(cls, lines: Iterable[bytes], key: str = "ticket") -> Recording:
        """Return the recording in JSON Lines: each holds `key` and `answers`, a list of samples for each model."""
        answers: dict[tuple[str, str], tuple[str, ...]] = {}
        for number, line in enumerate(lines, start=1):
            try:
                row = msgspec.json.decode(line)
                for model, samples in row["answers"].items():
                    answers[model, row[key]] = tuple(samples)
            except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as wrong:
                raise UserError(
                    f"line {number} of the recording needs {key!r} and `answers` by model ({wrong!r})"
                ) from wrong
        return cls(answers, key)

    @classmethod
    def read(cls, path: Path, key: str = "ticket") -> Recording:
        """Return the recording in a file of JSON Lines, gzipped or not."""
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            return cls.parse(lines, key)

    def answer(self, model: str, place: str, sample: int = 0) -> str | None:
        """Return what `model` answered at `place`, None when nothing was recorded."""
        samples = self._answers.get((model, place))
        return samples[sample % len(samples)] if samples else None


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
    text = recording.answer(model, place, seed)
    if text is None:
        return serving.error(404, f"no answer of {model!r} is recorded for {place!r}", "recording_not_found")
    return web.Response(body=serving.completion(body, text), content_type=serving.JSON)
