"""Redaction: how much of what is private is masked, and how much of what is masked is private, by kind and language.

    python benchmarks/bench_redaction.py [--faults] [--held-out]

The set, redaction_strings.jsonl, was written for this: one string a line, what is private in it marked `⟦kind:value⟧`.
All values are invented or from ranges set aside for tests. A third, drawn by a hash of the text, was held out: the
finders were improved on the rest alone. `--faults` shows where they fail on the rest, `--held-out` also on that third.

A value is found when all of it is masked as what it is. What is masked is right when it is part of such a value.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import polars as pl

from overproof.core.chance import draw
from overproof.tasks.private import SUSPECT
from overproof.tasks.redact import redact_record

STRINGS = Path(__file__).parent / "redaction_strings.jsonl"
MARK = re.compile(r"⟦(?P<kind>\w+):(?P<value>.+?)⟧")
PLACEHOLDER = re.compile(r"\[([A-Z]+)_[0-9]+\]")
HELD_OUT = 1 / 3

Found = tuple[str, int, int]
"""Kind, start and end within the text."""


@dataclass(frozen=True)
class Labelled:
    """One string of the set."""

    language: str
    text: str
    private: tuple[Found, ...]

    @property
    def held_out(self) -> bool:
        """Whether the finders were never improved on it."""
        return draw("redaction held out", self.text) < HELD_OUT


def read() -> list[Labelled]:
    """Return the set."""
    return [labelled(**json.loads(line)) for line in STRINGS.read_text("utf-8").splitlines()]


def labelled(language: str, text: str) -> Labelled:
    """Return a string without its marks, and what they mark."""
    plain, private, last = "", [], 0
    for mark in MARK.finditer(text):
        plain += text[last : mark.start()]
        private.append((mark["kind"], len(plain), len(plain) + len(mark["value"])))
        plain, last = plain + mark["value"], mark.end()
    return Labelled(language, plain + text[last:], tuple(private))


def masked_in(text: str) -> list[Found]:
    """Return what redaction masks in a text, as places in it."""
    (masked,), _ = redact_record([text])
    kinds = [kind.lower() for kind in PLACEHOLDER.findall(masked)]
    around = "(.+?)".join(map(re.escape, PLACEHOLDER.split(masked)[::2]))
    whole = re.fullmatch(around, text, re.DOTALL)
    assert whole is not None  # masking only replaces
    return [(kind, *whole.span(i)) for i, kind in enumerate(kinds, start=1)]


def _core(text: str, start: int, end: int) -> set[int]:
    """Return the places of the letters and digits: punctuation at the edges tells nobody anything."""
    return {place for place in range(start, end) if text[place].isalnum()}


@dataclass(frozen=True)
class Judged:
    """One string, and how redaction did on it."""

    string: Labelled
    missed: tuple[Found, ...]
    masked: tuple[Found, ...]
    wrong: tuple[Found, ...]


def judge(string: Labelled) -> Judged:
    """Hold what is masked in a string against what is private in it."""
    masked = tuple(masked_in(string.text))

    def covers(outer: Found, inner: Found) -> bool:
        return outer[0] == inner[0] and _core(string.text, *outer[1:]) >= _core(string.text, *inner[1:])

    return Judged(
        string=string,
        missed=tuple(each for each in string.private if not any(covers(found, each) for found in masked)),
        masked=masked,
        wrong=tuple(found for found in masked if not any(covers(each, found) for each in string.private)),
    )


def table(judged: Sequence[Judged]) -> Iterable[str]:
    """Yield recall and precision by kind, then by language."""
    kinds = sorted({kind for each in judged for kind, _, _ in (*each.string.private, *each.masked)})
    languages = list(dict.fromkeys(each.string.language for each in judged))
    row = "  {:<10} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>10}".format
    yield row("", "private", "found", "recall", "masked", "right", "precision")
    yield _line(row, "all", judged)
    for kind in kinds:
        yield _line(row, kind, judged, kind)
    for name in languages:
        yield _line(row, name, [each for each in judged if each.string.language == name])


def _line(row: Callable[..., str], name: str, judged: Sequence[Judged], kind: str | None = None) -> str:
    def count(of: Callable[[Judged], Sequence[Found]]) -> int:
        return sum(kind in (None, each) for judgement in judged for each, _, _ in of(judgement))

    private, masked = count(lambda each: each.string.private), count(lambda each: each.masked)
    found, right = private - count(lambda each: each.missed), masked - count(lambda each: each.wrong)
    recall, precision = (f"{part / whole:.3f}" if whole else "-" for part, whole in ((found, private), (right, masked)))
    return row(name, private, found, recall, masked, right, precision)


def faults(judged: Sequence[Judged]) -> Iterable[str]:
    """Yield every value that was missed or masked wrongly."""
    for each in judged:
        for what, found in (("missed", each.missed), ("wrong", each.wrong)):
            for kind, start, end in found:
                text, language = each.string.text, each.string.language
                yield f"  {what:<7} {kind:<6} {text[start:end]!r} in {language} {text!r}"


def speed() -> Iterable[str]:
    """Yield what looking costs on the demo's tickets: in Polars, and in Python where that raises suspicion."""
    packed = files("overproof.demo").joinpath("history.jsonl.gz").read_bytes()
    calls = map(json.loads, gzip.decompress(packed).splitlines())
    texts = pl.Series([call["request"]["messages"][-1]["content"] for call in calls])
    began = time.process_time()
    suspected = texts.filter(texts.str.contains(SUSPECT))
    first = time.process_time() - began
    began = time.process_time()
    held = sum(redact_record([text])[0][0] != text for text in suspected)
    second = time.process_time() - began
    of = f"{suspected.len()} of {texts.len()}"
    yield f"  first look (Polars): {first / texts.len() * 1e6:.2f} µs a text; {of} suspected"
    yield f"  second look (Python): {second / suspected.len() * 1e6:.0f} µs a suspected text; {held} held something"


def main() -> None:
    """Print it all."""
    strings = read()
    judged = [judge(each) for each in strings]
    rest, held = ([each for each in judged if each.string.held_out is out] for out in (False, True))
    print(f"{len(strings)} strings, {sum(not each.private for each in strings)} of them hold nothing private\n")
    for name, part in (("improved on", rest), ("held out", held)):
        print(f"{name}: {len(part)} strings")
        print("\n".join(table(part)), end="\n\n")
    if "--faults" in sys.argv:
        print("\n".join(faults(rest)), end="\n\n")
    if "--held-out" in sys.argv:
        print("\n".join(faults(held)), end="\n\n")
    print("speed")
    print("\n".join(speed()))


if __name__ == "__main__":
    main()
