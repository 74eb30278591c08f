"""A project on disk: the contract, and where everything lies."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from overproof.contract import FILE, Contract, parse
from overproof.core.errors import UserError
from overproof.core.store import Store
from overproof.core.types import Manifest
from overproof.pipeline import encoders, files, stages


class Project:
    """A folder with an `overproof.toml`."""

    def __init__(self, root: Path | str, again: Collection[str] = ()) -> None:
        self.root = Path(root)
        self.again = frozenset(again)
        """Stages to make anew although they are fresh."""
        self.store = Store(self.root / ".overproof")

    @cached_property
    def contract(self) -> Contract:
        """The contract, read once and checked."""
        return parse(self.contract_bytes)

    @cached_property
    def contract_bytes(self) -> bytes:
        """The contract as the user wrote it, read once: what is proven is what was read."""
        path = self.root / FILE
        if not path.is_file():
            raise UserError(f"there is no {path}: write one with `overproof init NAME --from LOGS`")
        return path.read_bytes()

    @cached_property
    def keys(self) -> dict[str, str]:
        """The key of every stage's artefact, as things stand now."""
        read = files.fingerprint(self.contract, self.root, self.files)
        return stages.keys(
            self.contract,
            read,
            encoders.embedder_digest(self.contract),
            encoders.of_baselines(self.contract),
            encoders.of_students(self.contract),
        )

    def folder(self, stage: str) -> Path:
        """Where the stage's artefact is, or would be."""
        return self.store.folder(stage, self.keys[stage])

    def fresh(self, stage: str) -> bool:
        """Whether the stage's artefact is there, whole, and made after all that it is made from."""
        manifest = self._manifest(stage)
        if manifest is None or not all((self.folder(stage) / name).exists() for name in manifest.files):
            return False
        sources = map(self._manifest, stages.inputs_of(stage))
        return all(source is None or source.made_at <= manifest.made_at for source in sources)

    def _manifest(self, stage: str) -> Manifest | None:
        return self.store.manifest(stage, self.keys[stage])

    @property
    def files(self) -> Path:
        """What the user's files were when they were last looked at."""
        return self.store.root / "files.json"

    # State that outlives artefacts, and must never be made again:

    @property
    def answers(self) -> Path:
        """Folder of paid-for answers, one append-only file for each model asked."""
        return self.store.root / "answers"

    @property
    def ledger(self) -> Path:
        """What has been decided on which test units."""
        return self.store.root / "ledger.jsonl"

    @property
    def forgotten(self) -> Path:
        """Whom later runs must not read in again."""
        return self.store.root / "forgotten.jsonl"

    @property
    def assignments(self) -> Path:
        """Which request was dealt to which split, once a decision has been taken on it."""
        return self.store.root / "assignments.parquet"

    @property
    def memory(self) -> Path:
        """Which prompt sets the assignments come from."""
        return self.store.root / "memory.json"

    @property
    def topics(self) -> Path:
        """What topics mean, once a decision has been taken on them or slices were suggested by them."""
        return self.store.root / "topics.safetensors"

    @property
    def prompt_sets(self) -> Path:
        """Which prompt sets there were, by number."""
        return self.store.root / "prompt_sets.jsonl"

    @property
    def last(self) -> Path:
        """How the last run that ended well did so."""
        return self.store.root / "last_run.json"

    @property
    def attempt(self) -> Path:
        """Where a run is or was; gone once it has ended well."""
        return self.store.root / "attempt.json"

    @property
    def lock(self) -> Path:
        """Held by the one who is at work."""
        return self.store.root / "lock"

    @property
    def report(self) -> Path:
        """The page people read."""
        return self.root / "report.html"

    @property
    def releases(self) -> Path:
        """Releases, one folder each."""
        return self.root / "releases"
