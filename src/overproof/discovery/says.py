"""Say a task in words: a name for it, and a sentence that ends in money."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overproof.discovery.records import Found, Kind, Probe, Rate, Version

LONGEST = 40
_IDLE = re.compile(
    r"an?|the|and|or|of|to|for|with|in|on|at|by|from|you|your|are|is|be|as|i|we|it|its|this|that|these|those|please|"
    r"following|given|users?|text|messages?|answer|assistant|helpful|ai|will|must|one|exactly|only"
)
"""Words that do not tell one prompt from another."""


def name_of(where: str | None, versions: Sequence[Version], kind: Kind, number: int) -> str:
    """Return what to call a task: the metadata value that is its own, else the first telling words of its prompt."""
    if where is not None and (valued := re.fullmatch(r"[^=]+ = '((?:[^']|'')+)'", where)):
        return valued[1].replace("''", "'")[:LONGEST]
    first = versions[0]
    constant = re.sub(r"\{\w+\}", " ", first.system or first.user)
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", constant) if not _IDLE.fullmatch(word.lower())]
    return "-".join(words[:3])[:LONGEST] or (
        "-".join(first.tools[:2]) or ("tools" if first.tools_vary else f"{kind}-{number}")
    )


def sentence(number: int, name: str, share: float, probe: Probe | None, kind: Kind) -> str:
    """Return "task 1 (triage) is 61 % of spend; a student could serve about 70 % of it"."""
    spend = f"task {number} ({name}) is {percent(share)} of spend"
    if probe is None:
        return spend if kind == "classify" else f"{spend}; distilling {kind} tasks is not here yet"
    if probe.served is None or probe.served.rate is None:
        return f"{spend}; {probe.note}"
    return (
        f"{spend}; a student could serve about {percent(probe.served.rate)} of it ({interval(probe.served)}) "
        f"and leave the rest to the teacher, at a risk of {percent(probe.alpha)}"
    )


def not_yet(tasks: Sequence[Found]) -> list[str]:
    """Return a sentence for the tasks of each kind that cannot be distilled yet, with their share of spend."""
    told = []
    for kind in ("extract", "generate"):
        mine = [each for each in tasks if each.kind == kind]
        if mine:
            numbers = ", ".join(str(each.number) for each in mine[:-1])
            which = (
                f"Tasks {numbers} and {mine[-1].number} are"
                if numbers
                else f"Task {mine[0].number} ({mine[0].name}) is"
            )
            share = percent(sum(each.share_of_spend for each in mine))
            told.append(f"{which} {share} of spend; distilling {kind} tasks is not here yet.")
    return told


def percent(share: float) -> str:
    """Return a share in whole per cent, but small ones with a decimal."""
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.0995 else f"{share:.0%}".replace("%", " %")


def interval(found: Rate) -> str:
    """Return the interval of a rate."""
    return f"{found.lower:.0%} to {found.upper:.0%}".replace("%", " %")
