"""From the files an encoder came as to those it is served from: drawn, quantised, compared, its tokens distilled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from overproof.core.errors import UserError
from overproof.core.store import write, write_json
from overproof.models.encoders import store
from overproof.models.encoders.manner import Manner, number, read_manner
from overproof.models.encoders.sources import Taken
from overproof.models.encoders.store import EncoderInfo, Parity

Tell = Callable[[str, int, int], None]
"""Hears what is being done, and how much of how much of it is done (0 of 0: it takes no counting)."""


class Graphs(NamedTuple):
    """An encoder in both precisions, and how near they are."""

    exact: bytes
    small: bytes
    parity: Parity
    holds: bool
    """Whether the small one is near enough to be used."""


def make(draft: Path, name: str, taken: Taken, tell: Tell) -> EncoderInfo:
    """Write every file of the encoder into `draft` and return its record, which is written too.

    Raises:
        UserError: what came cannot be made an encoder of; the text says why.
    """
    began = perf_counter()
    manner, words = read_manner(taken), taken.read(store.TOKENIZER)
    _refuse_mismatch(manner, words)
    graphs = _graphs(taken, manner, words, tell)
    write(draft / store.FP32, graphs.exact)
    write(draft / store.INT8, graphs.small)
    write(draft / store.TOKENIZER, words)
    write(draft / store.CONFIG, taken.read(store.CONFIG))
    write(draft / store.TABLE, _table(graphs.small if graphs.holds else graphs.exact, words, manner, tell))
    if taken.has("model.safetensors"):
        (taken.folder / "model.safetensors").rename(draft / store.WEIGHTS)
    info = _record(draft, name, taken, manner, graphs, seconds=perf_counter() - began)
    write_json(draft / store.RECORD, info)
    return info


def _graphs(taken: Taken, manner: Manner, words: bytes, tell: Tell) -> Graphs:
    from overproof.models.encoders import parity
    from overproof.models.encoders.graph import quantise
    from overproof.models.encoders.runtime import Encoder

    tell("drawing the graph", 0, 0)
    graph = _graph(taken, manner)
    exact = Encoder(graph, words, tokens=manner.tokens)
    if exact.width != manner.width:
        raise UserError(f"the graph gives {exact.width} numbers a text, config.json says {manner.width}")
    tell("quantising", 0, 0)
    small = quantise(graph)
    found = parity.compare(exact, Encoder(small, words, tokens=manner.tokens, precision="int8"))
    return Graphs(graph, small, found, parity.holds(found))


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


def _record(draft: Path, name: str, taken: Taken, manner: Manner, graphs: Graphs, *, seconds: float) -> EncoderInfo:
    files = sorted(each for each in draft.iterdir() if each.is_file())
    return EncoderInfo(
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
        trainable=(draft / store.WEIGHTS).exists(),
        int8_holds=graphs.holds,
        parity=graphs.parity,
        taken=taken.digests,
        files={each.name: store.sha256(each) for each in files},
        size_bytes=sum(each.stat().st_size for each in files),
        seconds=seconds,
    )


def _refuse_mismatch(manner: Manner, words: bytes) -> None:
    """Refuse a tokenizer and weights that do not fit together, now and not at somebody's request."""
    from overproof.models.encoders.tokens import tokenizer

    made = tokenizer(words)
    highest = max(made.get_vocab(with_added_tokens=True).values(), default=0)
    if highest >= manner.vocabulary:
        raise UserError(f"tokenizer.json has a token {highest}, the weights know {manner.vocabulary}: they do not fit")
    if not made.encode("").ids:
        raise UserError("tokenizer.json puts no special tokens around a text: an empty one would have no vector")
