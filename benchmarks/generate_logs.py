"""Write logs of any size whose duplicates are known, as a help desk's gateway might have written them.

    python benchmarks/generate_logs.py ROWS FILE [--shape pairs|openai] [--seed 7] [--first 0]

Of the rows 60 % are new (24 to 46 words, frequent ones of four languages among invented ones), 20 % exact copies of
an earlier text, 20 % near copies: one to three words changed, dropped or added, half of them with a capital and a
full stop too. 3 % of the texts hold a mail address, a phone number or a key. A few users send most of it. Metadata
tell the truth: `group`, the text it comes from, and `kind`. The same arguments give the same bytes; the first rows of
a longer log are those of a shorter one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Shape = Literal["pairs", "openai"]
BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
BLOCK = 20_000
"""Rows drawn at once."""
RECENT = 400_000
"""Copies are made of the newest so many texts: nobody resends what was asked a year ago."""
LABELS = [f"label_{i}" for i in range(77)]
MODELS = ("gpt-x", "gpt-x-mini", "claude-y")
PLANS = ("free", "pro", "team", "enterprise")
SYSTEM = "Sort the customer's message into one of the labels. Answer with the label alone."
FREQUENT = {
    "en": "the to and a of in is it you that for on my with this not have be are was but what when we can how me your",
    "de": "die der und ich nicht das ist ein zu mit den auf für eine es sie wir auch bei wie mich kann aber noch mein",
    "fr": "le la les de et je ne pas une est que pour dans mon vous ce sur avec il mais plus par nous sans depuis",
    "es": "el la de que y no en un una por con mi para está los se del las pero como más su al cuando desde usted qué",
}
SHARES = (0.62, 0.2, 0.1, 0.08)
SYLLABLES = [on + vowel for on in (*"bcdfghjklmnprstvwz", "st", "tr", "ch", "sh") for vowel in (*"aeiou", "ai", "ou")]
KINDS = ("new", "copy", "near")
encode = msgspec.json.Encoder().encode


class Texts:
    """Texts with their truth, drawn block by block."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        drawn = self._rng.integers(0, len(SYLLABLES), (30_000, 3))
        lengths = self._rng.choice([1, 2, 2, 3], 30_000)
        invented = ["".join(SYLLABLES[i] for i in row[:n]) for row, n in zip(drawn, lengths, strict=True)]
        self.invented = np.array(list(dict.fromkeys(invented)), object)
        self._weights = np.cumsum(1 / np.arange(10, len(self.invented) + 10))
        self._frequent = [np.array(words.split(), object) for words in FREQUENT.values()]
        self._groups: list[list[str]] = []
        self._first = 0
        """Number of the oldest group that is remembered."""

    def block(self, n: int) -> Iterator[tuple[str, int, str]]:
        """Yield texts, each with its group and its kind."""
        kinds = self._rng.choice(3, n, p=(0.6, 0.2, 0.2))
        fresh = iter(self._new(int((kinds == 0).sum()) + 1))
        back = self._rng.random(n)
        for kind, place in zip(kinds.tolist(), back.tolist(), strict=True):
            if kind == 0 or not self._groups:
                self._groups.append(next(fresh))
                yield " ".join(self._groups[-1]), self._first + len(self._groups) - 1, "new"
                continue
            at = int(place * len(self._groups))
            words = self._groups[at] if kind == 1 else self._changed(self._groups[at])
            yield " ".join(words), self._first + at, KINDS[kind]
        extra = max(0, len(self._groups) - RECENT)
        self._groups, self._first = self._groups[extra:], self._first + extra

    def _new(self, n: int) -> Iterator[list[str]]:
        sizes = self._rng.integers(24, 47, n)
        total = int(sizes.sum())
        rare = self.invented[np.searchsorted(self._weights, self._rng.random(total) * self._weights[-1])]
        language = np.repeat(self._rng.choice(len(SHARES), n, p=SHARES), sizes)
        often = self._rng.random(total) < 0.35
        for i, words in enumerate(self._frequent):
            chosen = np.flatnonzero(often & (language == i))
            rare[chosen] = words[self._rng.integers(0, len(words), len(chosen))]
        for words in np.split(rare, np.cumsum(sizes)[:-1]):
            yield self._with_secret(words.tolist())

    def _with_secret(self, words: list[str]) -> list[str]:
        """Put a mail address, a phone number or a key into three texts of a hundred."""
        draw = self._rng.random()
        if draw < 0.03:
            number = int(draw * 1e12)
            secret = (
                f"{words[0]}.{words[1]}{number % 97}@{words[2]}.example",
                f"+49 170 {1_000_000 + number % 8_999_999}",
                f"sk-{number:012d}{words[3]}{words[4]}{number % 999_983:06d}Ab",
            )[number % 3]
            words[len(words) // 2] = secret
        return words

    def _changed(self, words: list[str]) -> list[str]:
        words = list(words)
        for _ in range(int(self._rng.integers(1, 4))):
            at, new = int(self._rng.integers(len(words))), self.invented[int(self._rng.integers(len(self.invented)))]
            draw = self._rng.random()
            if draw < 0.5:
                words[at] = new
            elif draw < 0.75:
                del words[at]
            else:
                words.insert(at, new)
        if self._rng.random() < 0.5:
            words[0] = words[0].capitalize()
            words[-1] += "."
        return words


def rows(count: int, shape: Shape = "pairs", seed: int = 7) -> Iterator[dict[str, Any]]:
    """Yield `count` rows of a log."""
    texts, rng = Texts(seed), np.random.default_rng(seed + 1)
    made = pair if shape == "pairs" else openai
    for start in range(0, count, BLOCK):
        people = users(rng, BLOCK)
        numbers = rng.integers(0, 2**31, (BLOCK, 2)).tolist()
        for i, (text, group, kind) in enumerate(texts.block(BLOCK)):
            if start + i == count:
                return
            yield made(start + i, text, group, kind, people[i], *numbers[i])


def users(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Draw users with a heavy tail: most are seen once or twice, a few all the time."""
    return np.minimum(rng.pareto(0.6, n) * 3, 2**40).astype(np.int64) % 900_000


def pair(  # noqa: PLR0917 - drawn together
    i: int, text: str, group: int, kind: str, user: int, one: int, two: int
) -> dict[str, Any]:
    """Return a plain pair, with what the logger knew beside it."""
    return {
        "id": f"r{i}",
        "timestamp": int(BEGIN.timestamp()) + 3 * i,
        "model": MODELS[one % 3],
        "user": f"u{user}",
        "input": text,
        "output": LABELS[group % 77],
        "latency_ms": 200 + one % 2800,
        "input_tokens": len(text) // 4,
        "plan": PLANS[user % 4],
        "tenant": f"t{two % 50}",
        "group": group,
        "kind": kind,
    }


def openai(  # noqa: PLR0917 - the same
    i: int, text: str, group: int, kind: str, user: int, one: int, two: int
) -> dict[str, Any]:
    """Return a request and its response as OpenAI's API has them."""
    at = BEGIN + timedelta(seconds=3 * i)
    model, size = MODELS[one % 3], len(text) // 4
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    metadata = {"plan": PLANS[user % 4], "tenant": f"t{two % 50}", "group": str(group), "kind": kind}
    return {
        "id": f"r{i}",
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "latency_ms": 200 + one % 2800,
        "request": {
            "model": model,
            "messages": messages,
            "temperature": 0.0,
            "max_tokens": 16,
            "user": f"u{user}",
            "metadata": metadata,
        },
        "response": {
            "id": f"chatcmpl-{one:x}{two:x}",
            "object": "chat.completion",
            "created": int(at.timestamp()),
            "model": f"{model}-2026-01-15",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": LABELS[group % 77]}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": size, "completion_tokens": 3, "total_tokens": size + 3},
        },
    }


def write(path: Path, count: int, shape: Shape = "pairs", seed: int = 7, first: int = 0) -> None:
    """Write rows `first` to `count` of the log to `path`."""
    with path.open("wb", buffering=2**20) as file:
        for i, row in enumerate(rows(count, shape, seed)):
            if i >= first:
                file.write(encode(row) + b"\n")


def main() -> None:
    """Write a log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--shape", choices=("pairs", "openai"), default="pairs")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    write(options.file, options.rows, options.shape, options.seed, options.first)


if __name__ == "__main__":
    main()
