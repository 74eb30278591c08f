"""What can go wrong, as a tree.

    OverproofError
    ├── UserError              the user can mend it: one sentence, exit code 1
    │   ├── ContractError      overproof.toml is wrong, and where
    │   ├── UnknownPlugin      no such reader, rule, baseline, student or task
    │   ├── MissingExtra       an optional dependency is not installed
    │   ├── MissingSecret      an environment variable is not set
    │   ├── BudgetTooSmall     the estimate exceeds the budget
    │   └── NotEnoughData      nothing to work on, and what would help
    └── ReleaseCorrupt         a release folder does not match its checksums

A bad row is never an exception: it becomes a record with a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` where a known name is close to this one; else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


class OverproofError(Exception):
    """Any fault this package raises on purpose."""


class UserError(OverproofError):
    """A fault the user can mend; its text is one sentence that says how."""


class ContractError(UserError):
    """`overproof.toml` promises something impossible or unreadable."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"overproof.toml, {where}: {what}")


class UnknownPlugin(UserError):
    """A name that no installed plug-in answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        there = sorted(known)
        hint = meant(name, there)
        super().__init__(f"no {kind} is called {name!r}{hint}{'' if hint else ';'} there are: {', '.join(there)}")


class MissingExtra(UserError):
    """A heavy dependency that only some users need is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the extra `{extra}`: pip install 'overproof[{extra}]'")


class MissingSecret(UserError):
    """A key that must come from the environment is not there."""

    def __init__(self, variable: str, what: str) -> None:
        super().__init__(f"{what} needs a key: set the environment variable {variable}")


class BudgetTooSmall(UserError):
    """Going on would spend more than was allowed."""

    def __init__(self, needed: float, budget: float, what: str) -> None:
        super().__init__(
            f"{what} would cost about ${needed:.2f}, the budget is ${budget:.2f}: "
            f"raise budget.usd in overproof.toml or ask for less; nothing was bought"
        )


class NotEnoughData(UserError):
    """There is too little to work on; the text says what would help."""


class ReleaseCorrupt(OverproofError):
    """A release folder whose files are not the ones that were proven."""
