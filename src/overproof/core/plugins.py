"""Finding plug-ins: by entry point, or as `module:Class`; built-ins come through the same door."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from overproof.core.errors import ContractError, UnknownPlugin


def names(group: str) -> dict[str, EntryPoint]:
    """Return what is installed for `group` (`readers`, `rules`, `baselines`, `students`, `tasks`), by name."""
    return {point.name: point for point in entry_points(group=f"overproof.{group}")}


def find(group: str, name: str) -> type[Any]:
    """Return the class called `name`, or the one at `module:Class`."""
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as missing:
            raise UnknownPlugin(group.rstrip("s"), name, names(group)) from missing
        return found  # type: ignore[no-any-return]  # whatever the module holds under that name
    known = names(group)
    if name not in known:
        raise UnknownPlugin(group.rstrip("s"), name, known)
    return known[name].load()  # type: ignore[no-any-return]  # an entry point may hold anything


def build(group: str, table: Mapping[str, Any], *, key: str, where: str) -> Any:  # noqa: ANN401 - a seam decides
    """Return the plug-in that `table` of the contract describes: `table[key]` names it, the rest are its options."""
    options = {name: value for name, value in table.items() if name != key}
    if key not in table:
        raise ContractError(where, f"needs `{key}`, one of: {', '.join(sorted(names(group)))}")
    try:
        kind = find(group, str(table[key]))
    except UnknownPlugin as unknown:
        raise ContractError(f"{where}, {key}", str(unknown)) from unknown
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as wrong:
        fields = ", ".join(getattr(kind, "__struct_fields__", ()))
        raise ContractError(where, f"{wrong}; options of {table[key]!r}: {fields or 'none'}") from wrong
