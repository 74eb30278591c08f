"""Values mined from logs, quoted for a contract: whatever they hold, they stay values."""

from __future__ import annotations

import re

import msgspec

from overproof.core.where import WhereError, parse

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def sql_name(name: str) -> str:
    """Return a name as conditions write it; in double quotes unless it is plain and no word of SQL."""
    return name if _PLAIN.fullmatch(name) and _reads_back(name) else '"' + name.replace('"', '""') + '"'


def sql_text(value: str) -> str:
    """Return a text as conditions write it."""
    return "'" + value.replace("'", "''") + "'"


def equals(name: str, value: str) -> str | None:
    """Return the condition that `name` is `value`; None where it would not read back as just that."""
    written = f"{sql_name(name)} = {sql_text(value)}"
    try:
        read = parse(written)
    except WhereError:
        return None
    faithful = read.names == {name} and read.matches({name: value}) and not read.matches({name: f"{value}x"})
    return written if faithful else None


def toml_text(value: str) -> str:
    """Return a text as TOML writes it: JSON's escapes are TOML's."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _reads_back(name: str) -> bool:
    try:
        return parse(f"{name} = ''").names == {name}
    except WhereError:
        return False
