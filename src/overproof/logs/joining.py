"""Complete calls that lie in several files: what completes them is gathered first, what no call took comes last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from overproof.core.protocols import Joining, Part
from overproof.core.types import Exchange, SetAside


class Gathered:
    """Parts by their key, from every file of one format; knows which were used.

    All are held in memory: a batch's requests are, the calls themselves are not.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, list[tuple[int, Part]]] = {}
        self._used: set[int] = set()

    def gather(self, records: Iterator[Part | SetAside], file: int) -> Iterator[SetAside]:
        """Take in the parts of the file with this number; yield the rows it sets aside."""
        for record in records:
            if isinstance(record, Part):
                self._by_key.setdefault(record.key, []).append((file, record))
            else:
                yield record

    def within(self, name: str) -> Near:
        """Return the parts as a file of this name sees them."""
        return Near(self, _folder(name))

    def take(self, key: str, folder: str) -> list[Part]:
        """Return the parts under `key`, those of `folder` if there are any."""
        found = [part for _, part in self._by_key.get(key, ())]
        near = [part for part in found if _folder(part.source) == folder] or found
        self._used.update(map(id, near))
        return near

    def settle(self, reader: Joining) -> tuple[Counter[int], dict[int, list[Exchange | SetAside]]]:
        """Return how many parts of each file were joined to a call, and what `reader` makes of the others."""
        joined: Counter[int] = Counter(file for found in self._by_key.values() for file, _ in found)
        records: dict[int, list[Exchange | SetAside]] = {}
        for found in self._by_key.values():
            left = {part.source: (file, part) for file, part in found if id(part) not in self._used}
            for record in reader.left([part for _, part in left.values()]) if left else ():
                file = left[record.source][0]
                records.setdefault(file, []).append(record)
                joined[file] -= 1
        return joined, records


class Near:
    """`Gathered`, seen from one folder."""

    def __init__(self, gathered: Gathered, folder: str) -> None:
        self._gathered = gathered
        self._folder = folder

    def take(self, key: str) -> list[Part]:
        """Return what was gathered under `key`; it counts as used."""
        return self._gathered.take(key, self._folder)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
