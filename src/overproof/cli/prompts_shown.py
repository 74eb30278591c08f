"""What `overproof prompts` prints. Texts of logs are anybody's: nothing in them may steer a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overproof.pipeline.looking import Asked, Drawn, Mate, Sample, Whole
    from overproof.pipeline.prompt_sets import Exported, PromptSet, SetDifference
    from overproof.prompts.changes import Difference, Dimension, Shift, Word

STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the line's end, text-direction marks and overrides, halves of characters."""
OUTSIDE_ASCII = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
KEY, ID = 8, 12
"""Digits of keys and ids that are shown."""
MOST_WORDS, MOST_MATES, MOST_REQUESTS, MOST_VALUES = 12, 10, 10, 8
"""What fits a screen; `--json` has all."""


def visible(text: str) -> str:
    """Return `text` with what could steer a terminal written as escapes; lines stay lines."""
    return STEERING.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def as_json_shown(value: object) -> str:
    """Return any record as indented JSON that is safe to show: the same values, what steers terminals escaped."""
    from overproof.cli.show import as_json_text

    return OUTSIDE_ASCII.sub(lambda found: f"\\u{ord(found[0]):04x}", as_json_text(value))


# --- versions ---------------------------------------------------------------------------------------------------------


def listed(found: Sequence[PromptSet]) -> str:
    """Return a table of versions."""
    rows = [
        (
            f"{each.number}{'*' if each.present else ''}",
            each.key[:KEY],
            f"{each.made_at:%Y-%m-%d %H:%M}",
            f"{each.requests:,}",
            f"{each.prompts:,}",
            f"{each.units:,}",
            f"{each.cut:%Y-%m-%d}" if each.cut else "-",
            "yes" if each.on_disk else "no",
            ", ".join(each.releases) or "-",
        )
        for each in found
    ]
    names = ("#", "key", "made (UTC)", "requests", "prompts", "units", "judged from", "on disk", "releases")
    least = ("units", "prompts", "judged from", "requests", "releases")
    table = _table(names, rows, left=("key", "made (UTC)", "releases"), texts=("releases",), least=least)
    stands = any(each.present for each in found)
    return table + ("* what the logs and overproof.toml make now" if stands else CHANGED)


CHANGED = "The logs or overproof.toml have changed since: `overproof plan` makes the next one."


# --- differences ------------------------------------------------------------------------------------------------------


def changes(found: SetDifference) -> str:
    """Return what changed: in one sentence, by dimension, and in words."""
    changed, here = found.changed, found.before.project == found.after.project
    names = [f"prompt set {each.number}{'' if here else f' of {each.project}'}" for each in (found.before, found.after)]
    was, now = changed.requests_before, changed.requests_after
    lines = [
        f"Before: {was:,} requests of {names[0]}. After: {now:,} requests of {names[1]} that are new.",
        f"In both: {changed.in_both:,}; only before: {changed.only_before:,}; only after: {now:,}.",
    ]
    if not changed.dimensions:
        return "\n".join([*map(visible, lines), "", "Nothing can be compared: one side is empty."])
    if changed.compared_before < was or changed.compared_after < now:
        lines.append(f"Compared: {changed.compared_before:,} and {changed.compared_after:,}, whole units by hash.")
    tables = filter(None, (_dimensions(changed), _values(changed), _worded(changed.words)))
    return "\n".join([*map(visible, lines), "", *tables, _explained(changed)])


def _dimensions(changed: Difference) -> str:
    rows = [
        (
            each.name,
            f"{each.total_variation:.3f}",
            f"{each.expected:.3f}",
            f"{each.psi:.3f}" if each.psi is not None else "-",
            "changed" if each.flagged else "",
        )
        for each in changed.dimensions
    ]
    return _table(("dimension", "distance", "by chance", "PSI", ""), rows, left=("dimension", ""), texts=("dimension",))


def _values(changed: Difference) -> str:
    """Return the values of what changed, the furthest apart first; those beyond chance are marked."""
    rows = [row for each in changed.dimensions if each.flagged for row in _shown_values(each)]
    names = ("dimension", "value", "before", "after", "difference", "95 % interval", "h", "")
    texts, least = ("dimension", "value"), ("h", "95 % interval", "difference")
    return _table(names, rows, left=(*texts, ""), texts=texts, least=least) if rows else ""


def _shown_values(dimension: Dimension) -> Iterator[tuple[str, ...]]:
    ordered = sorted(dimension.values, key=lambda each: (not each.beyond, -abs(each.h)))
    for i, each in enumerate(ordered[:MOST_VALUES]):
        yield (dimension.name if i == 0 else "", *_shift(each))
    if len(ordered) > MOST_VALUES:
        yield ("", f"and {len(ordered) - MOST_VALUES} more", "", "", "", "", "", "")


def _shift(each: Shift) -> tuple[str, ...]:
    return (
        _short(each.value, 40),
        f"{each.before:.1%}",
        f"{each.after:.1%}",
        f"{each.difference:+.1%}",
        f"[{each.lower:+.1%}, {each.upper:+.1%}]",
        f"{each.h:+.2f}",
        "!" if each.beyond else "",
    )


def _worded(words: Sequence[Word]) -> str:
    more = [each for each in words if each.log_odds > 0][:MOST_WORDS]
    less = [each for each in words if each.log_odds <= 0][:MOST_WORDS]
    rows = [
        (
            _short(each.word, 30),
            f"{each.before:.1%}",
            f"{each.after:.1%}",
            f"{each.log_odds:+.2f}",
            f"[{each.lower:+.2f}, {each.upper:+.2f}]",
        )
        for each in (*more, *less)
    ]
    names = ("word", "before", "after", "log-odds", "95 % interval")
    return _table(names, rows, left=("word",), texts=("word",), least=("95 % interval",)) if rows else ""


def _explained(changed: Difference) -> str:
    if not any(each.flagged for each in changed.dimensions):
        return "Nothing differs by more than chance explains: units are dealt to two sides, 95 % of deals name nothing."
    return "! and changed: more than chance explains; of two parts of one traffic 95 % would name nothing anywhere."


# --- prompts ----------------------------------------------------------------------------------------------------------


def drawn(found: Sample) -> str:
    """Return the prompts drawn, one below the other."""
    if not found.prompts:
        return f"No prompt of {', '.join(found.splits)} is like this."
    head = (
        f"{len(found.prompts)} of {found.matching:,} prompts in {', '.join(found.splits)} "
        f"(prompt set {found.version.number})"
    )
    return visible("\n\n".join([head, *map(_drawn, found.prompts)]))


def _drawn(each: Drawn) -> str:
    answer = each.answer if each.answer is not None else "no answer"
    told = f"{answer} (refused by the rule {each.refused})" if each.refused else answer
    facts = [", ".join(each.splits), ", ".join(each.slices), each.language or "language unsure", _times(each.seen)]
    lines = [" · ".join(facts), *_block(each.input)]
    return "\n".join([f"{each.id[:ID]}  {_flat(told)}", *(f"  {line}" for line in lines)])


def _times(seen: int) -> str:
    return f"seen {seen:,} time{'s' * (seen != 1)}"


def whole(found: Whole) -> str:
    """Return one prompt with all that is known of it."""
    lines = [
        f"Prompt {found.id} (prompt set {found.version.number})",
        f"unit {found.unit} · {found.language or 'language unsure'} · {_times(found.seen)}",
        *(f"{name}: {_flat(value)}" for name, value in found.metadata.items()),
    ]
    for message in found.messages:
        lines += ["", f"[{_flat(message.role)}]", *(f"  {line}" for line in _block(message.content))]
        lines += [f"  {_flat(_json(message.extra))}"] if message.extra else []
    if found.parameters:
        lines += ["", f"parameters {_flat(_json(found.parameters))}"]
    lines += ["", f"requests: {len(found.requests):,}", *_some(map(_asked, found.requests), MOST_REQUESTS)]
    lines += ["", *_learned(found)]
    if found.mates:
        lines += ["", f"of the same unit: {len(found.mates):,}", *_some(map(_mate, found.mates), MOST_MATES)]
    return visible("\n".join(lines))


def _asked(each: Asked) -> str:
    at = f"{each.at:%Y-%m-%d %H:%M:%S}" if each.at else "no time"
    who = f"{each.model or 'unnamed'}{'' if each.by_teacher else ' (not the teacher)'}"
    answer = _short(_flat(each.answer), 60) if each.answer is not None else "no answer"
    return f"  {at}  {each.split or 'dropped'}  {', '.join(each.slices)}  {who}: {answer}"


def _learned(found: Whole) -> Iterator[str]:
    for example in found.examples:
        votes = ", ".join(f"{answer} {share:.0%}" for answer, share in example.votes.items())
        yield f"learned ({example.split}): {_flat(example.answer)}, votes {_flat(votes)}, weight {example.weight:g}"
    for rejection in found.rejections:
        yield f"rejected ({rejection.split}): sample {rejection.sample}, {rejection.rule}: {_flat(rejection.reason)}"
    for each in found.doubts:
        yield f"left out ({each.split}): {_flat(each.answer)}, doubt {each.doubt:.2f}: {_flat(each.reason)}"
    if not (found.examples or found.rejections or found.doubts):
        yield _unlearned(found)


def _unlearned(found: Whole) -> str:
    """Say why nothing is learned from a prompt that no rule refused."""
    splits = {each.split for each in found.requests} - {None}
    if not splits:
        return "in no split: neither learned from nor judged upon"
    if splits <= {"calibrate", "test"}:
        return "judged upon, never learned from"
    return "nothing is learned from it" if found.sifted else "no sifted answers of this prompt set are on disk"


def _mate(each: Mate) -> str:
    splits = ", ".join(each.splits) or "dropped"
    text = _short(_flat(each.input), 80) if each.input is not None else "(judged by: not shown unless asked for)"
    return f"  {each.id[:ID]}  {splits}  seen {each.seen:,}  {text}"


def exported(found: Exported) -> str:
    """Return what was written."""
    counts = ", ".join(f"{count:,} {split}" for split, count in found.examples.items())
    left = f"; {found.left_out:,} prompts have no answer to export" if found.left_out else ""
    return visible(f"Wrote {counts} examples of prompt set {found.version.number} to {found.path}{left}.")


# --- texts ------------------------------------------------------------------------------------------------------------


def _table(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[str] = (),
    texts: Sequence[str] = (),
    least: Sequence[str] = (),
) -> str:
    from overproof.cli.tables import table

    return table(names, [[visible(_flat(cell)) for cell in row] for row in rows], left=left, texts=texts, least=least)


def _block(text: str) -> list[str]:
    """Return a text in lines that fit the page."""
    return [line for each in visible(text).split("\n") for line in textwrap.wrap(each, 100) or [""]]


def _flat(text: str) -> str:
    return " ".join(text.split("\n"))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _some(lines: Iterable[str], most: int) -> list[str]:
    every = list(lines)
    return every[:most] + ([f"  and {len(every) - most:,} more (--json shows all)"] if len(every) > most else [])


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
