"""Secrets of every kind in every field of a log, then the whole road: none of them is on disk or on a screen."""

from __future__ import annotations

import asyncio
import gzip
import html
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest

import toy_logs
from overproof.models.fake import FaultyServer
from toy_logs import CONTRACT, LABELS

SECRETS = {
    "email": "wxqAnna.Plant+shop@planted-mail.example",
    "phone": "+44 7700 900461",
    "card": "4012 8888 8888 1881",
    "iban": "DE89 3704 0044 0532 0130 00",
    "key": "sk-proj-Qz7Wx3Vb9Kp2Lm5Nt8Rd",
    "cloud": "AKIAQWZXPLANTED72345",
    "token": "ghp_Zx81QwPlanted29VbKe63TyUi",
}
PASSWORD = "wxqGeheim-4711"
"""Only found beside its name."""
OF_THE_TEACHER = {"email": "zvk.teacher@answered-mail.example", "phone": "+49 151 23456789"}
"""What a model says of itself, when it is asked."""
ALL = " ".join(SECRETS.values())
TOLD = f"{ALL} password: {PASSWORD}"
PRINTS = ("wxqanna", "planted-mail", "7700900461", "4012888888881881", "370400440532013000", "qz7wx3vb9kp2lm5nt8rd")
MORE_PRINTS = ("aqwzxplanted72345", "zx81qwplanted29vbke", "wxqgeheim", "zvk.teacher", "answered-mail", "15123456789")
"""Parts of the secrets in lower case without spaces and hyphens, long enough to be nothing else."""


def openai(row: dict[str, Any], i: int) -> dict[str, Any]:
    """Return a toy call as it was on the wire, with everything there is in every field of it."""
    call = {"name": "look_up", "arguments": json.dumps({"who": ALL, "phone": 5550142777, "password": PASSWORD})}
    big = json.dumps({f"field{n}": SECRETS["email"] for n in range(200)}, separators=(",", ":"))
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": f"Answer with a label. Ask {SECRETS['email']} when in doubt."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": call},
                {"id": SECRETS["key"], "type": "function", "function": {"name": "store", "arguments": big}},
            ],
        },
        {"role": "tool", "tool_call_id": SECRETS["key"], "content": json.dumps({"note": TOLD})},
        {"role": "user", "name": SECRETS["email"], "content": f"{row['input']} {TOLD}"},
    ]
    request = {
        "model": "big",
        "messages": turns,
        "user": list(SECRETS.values())[i % len(SECRETS)],
        "metadata": {
            "tier": row["metadata"]["tier"],
            "contact": ALL,
            SECRETS["email"]: "a name",
            "card": 4012888888881881,
        },
        "tools": [{"type": "function", "function": {"name": "look_up", "description": TOLD}}],
        "stop": [SECRETS["card"]],
        "limits": {"card": 4012888888881881, "phone": 447700900461},
    }
    made = {
        "id": f"x-{i}",
        "timestamp": row["timestamp"],
        "request": request,
        "session_id": SECRETS["email"] + str(i % 7),
    }
    if i % 9 == 0:
        return made | {"status": 500, "error": {"message": f"refused: {TOLD}", "type": ALL}}
    answer = {
        "message": {"role": "assistant", "content": row["output"]},
        "finish_reason": ALL if i % 5 == 0 else "stop",
    }
    usage = {"prompt_tokens": 100, "completion_tokens": 2}
    name = SECRETS["email"] if i % 11 == 0 else "big"
    return made | {"response": {"model": name, "choices": [answer], "usage": usage}}


def pairs(row: dict[str, Any], i: int) -> dict[str, Any]:
    """Return a toy call in the plain form, likewise; every other one was answered by another model."""
    kept = {key: row[key] for key in ("timestamp", "gold", "input_tokens", "output_tokens", "latency_ms")}
    secret = list(SECRETS.values())[i % len(SECRETS)]
    return kept | {
        "id": f"{secret} {i}",
        "model": "big" if i % 2 else f"small {secret}" if i % 3 == 0 else "small",
        "input": f"{row['input']} {TOLD}",
        "output": f"{row['output']} {ALL}" if i % 13 == 0 else row["output"],
        "user": secret,
        "conversation": f"{secret}/{i // 3}",
        "release": SECRETS["email"] if i % 50 == 1 else None,
        "metadata": row["metadata"] | {"mail": SECRETS["email"], "passwd": PASSWORD},
    }


def broken(i: int) -> str:
    """Return a row that is set aside, and whose excerpt is kept."""
    return (
        json.dumps({"id": i, "input": ALL, "password": PASSWORD}),
        json.dumps({"messages": TOLD, "output": 1})[:-3],
        json.dumps({"input": {"not": ALL}, "output": TOLD, "timestamp": SECRETS["email"]}),
        json.dumps([ALL]),
        json.dumps({"object": SECRETS["email"], "kind": ALL, "type": TOLD}),
    )[i % 5]


def written(folder: Path, url: str) -> Path:
    rows = toy_logs.rows(1500)
    reach = f'model = "big"\nbase_url = "{url}"\nceiling = 40'
    contract = (
        CONTRACT.replace('model = "big"', reach)
        + '\n[gold]\npath = "gold.jsonl"\non = "id"\nfield = "label"\n'
        + '\n[budget]\nusd = 5\n\n[prompts]\nunit = ["near_duplicate"]\n'
    )
    toy_logs.project(folder, [], contract)
    (folder / "logs" / "a.jsonl").write_text(
        "".join(
            f"{json.dumps(pairs(row, i))}\n" + (f"{broken(i)}\n" if i % 40 == 0 else "")
            for i, row in enumerate(rows[:1000])
        ),
        "utf-8",
    )
    lines = "".join(f"{json.dumps(openai(row, i))}\n" for i, row in enumerate(rows[1000:]))
    with gzip.open(folder / "logs" / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    (folder / "overproof.toml").write_text(contract.replace("logs/*.jsonl", "logs/*"), "utf-8")
    gold = [
        {"id": f"x-{i}", "label": f"{row['gold']} {ALL}" if i % 30 == 0 else row["gold"]}
        for i, row in enumerate(rows[1000:])
    ]
    (folder / "gold.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in gold), "utf-8")
    return folder


def texts(data: bytes, name: str) -> Iterator[str]:
    """Yield all that can be read in a file, unpacked."""
    yield data.decode("utf-8", "replace")
    yield data.decode("latin-1")
    if name.endswith(".parquet"):
        yield pl.read_parquet(io.BytesIO(data)).write_ndjson()
    elif data[:2] == b"\x1f\x8b":
        yield from texts(gzip.decompress(data), "")
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        yield from texts(pytest.importorskip("zstandard").ZstdDecompressor().decompressobj().decompress(data), "")


def prints_in(text: str) -> list[str]:
    """Return the secrets that show in a text, in whatever spelling."""
    plain = html.unescape(re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)).lower()
    bare = re.sub(r"[\s()/-]", "", plain)
    return [
        each
        for each in (*PRINTS, *MORE_PRINTS)
        if each in plain or each.replace("-", "") in bare or quote(each) in plain
    ]


def found_in(folder: Path) -> dict[str, list[str]]:
    """Return what shows of the secrets in each file, but for those that are the user's own."""
    own = {folder / "logs", folder / "gold.jsonl", folder / "overproof.toml"}
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not own & {path, *path.parents}:
            shown = {each for text in (*texts(path.read_bytes(), path.name), name) for each in prints_in(text)}
            if shown:
                found[name] = sorted(shown)
    return found


def right(body: Mapping[str, Any]) -> str:
    text = str(body["messages"])
    label = next((label for label in LABELS if label in text), "other")
    return f"{label} {' '.join(OF_THE_TEACHER.values())}" if len(text) % 17 == 0 else label


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Or it would prove nothing: planted in the clear, everything is found in every kind of file."""
    (tmp_path / "a.json").write_text(json.dumps({"a": html.escape(TOLD), "b": str(OF_THE_TEACHER)}), "utf-8")
    pl.DataFrame({"a": [[TOLD, *OF_THE_TEACHER.values()]] * 500}).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.gz").write_bytes(gzip.compress(f"{TOLD} {OF_THE_TEACHER}".upper().encode()))

    found = found_in(tmp_path)

    assert found == dict.fromkeys(("a.json", "b.parquet", "c.gz"), sorted((*PRINTS, *MORE_PRINTS)))


def test_no_secret_of_a_log_is_anywhere_after_a_run(tmp_path: Path) -> None:
    server = FaultyServer(right, models=("big",))

    async def command(*words: str) -> str:
        call = (sys.executable, "-W", "error", "-m", "overproof", *words, "--project", str(tmp_path / "toy"))
        ran = await asyncio.create_subprocess_exec(
            *call, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, told = await ran.communicate()
        assert ran.returncode == 0, told.decode()
        return said.decode() + told.decode()

    async def play() -> str:
        async with server.listening() as url:
            written(tmp_path / "toy", url)
            words = (("plan",), ("run", "--past-gate"), ("status", "--json"), ("report",), ("plan", "--json"))
            return "\n".join([await command(*each) for each in words])

    told = asyncio.run(asyncio.wait_for(play(), 120))

    assert found_in(tmp_path / "toy") == {}
    assert prints_in(told) == []
    assert server.answered > 100, told
    assert (tmp_path / "toy" / "releases").is_dir(), told
    assert any((tmp_path / "toy" / "releases").iterdir()), told
