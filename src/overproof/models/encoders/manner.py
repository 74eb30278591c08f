"""How an encoder is to be used: what the small files beside its weights say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from overproof.core.errors import UserError
from overproof.models.encoders.shape import Pooling
from overproof.models.encoders.sources import Taken

PARTS = frozenset({"Transformer", "Pooling", "Normalize"})
"""Modules of a sentence encoder that our graph is made of."""


class Manner(NamedTuple):
    """How an encoder is to be used."""

    config: dict[str, Any]
    pooling: Pooling
    tokens: int
    width: int
    vocabulary: int


def read_manner(taken: Taken) -> Manner:
    """Return how the encoder that came is to be used.

    Raises:
        UserError: a file cannot be read, or says something our graphs cannot do.
    """
    config = _json(taken, "config.json")
    width, vocabulary = number(config, "hidden_size", "dim"), number(config, "vocab_size")
    if width is None or vocabulary is None:
        raise UserError("config.json does not say the encoder's width and vocabulary (hidden_size, vocab_size)")
    return Manner(config, _pooling(taken), _tokens(taken, config), width, vocabulary)


def _pooling(taken: Taken) -> Pooling:
    """Return how token states become one; the mean where nothing is said, as sentence-transformers does."""
    if taken.has("modules.json"):
        modules = msgspec.json.decode(taken.read("modules.json"), type=list[dict[str, Any]])
        foreign = {str(module.get("type", "")).rpartition(".")[2] for module in modules} - PARTS
        if foreign:
            raise UserError(f"this encoder has a part that cannot be drawn: {', '.join(sorted(foreign))}")
    if not taken.has("1_Pooling/config.json"):
        return "mean"
    said = _json(taken, "1_Pooling/config.json")
    chosen = sorted(
        key.removeprefix("pooling_mode_") for key, on in said.items() if key.startswith("pooling_mode_") and on
    )
    match chosen:
        case ["mean_tokens"]:
            return "mean"
        case ["cls_token"]:
            return "cls"
    raise UserError(f"this encoder pools by {' and '.join(chosen) or 'nothing'}; mean_tokens or cls_token can be drawn")


def _tokens(taken: Taken, config: Mapping[str, Any]) -> int:
    """Return the longest text in tokens: what its makers used it with, within the positions it has."""
    reserved = 0 if config.get("model_type") in ("bert", "distilbert") else (number(config, "pad_token_id") or 0) + 1
    said = [
        (number(config, "max_position_embeddings") or 512) - reserved,
        number(_json(taken, "sentence_bert_config.json"), "max_seq_length"),
        number(_json(taken, "tokenizer_config.json"), "model_max_length"),
    ]
    fewest = min(number for number in said if number is not None)
    if fewest < 3:
        raise UserError(f"this encoder reads {fewest} tokens, of which two or three are not of the text")
    return fewest


def _json(taken: Taken, name: str) -> dict[str, Any]:
    """Return what a small file says; nothing where there is none."""
    if not taken.has(name):
        return {}
    try:
        return msgspec.json.decode(taken.read(name), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise UserError(f"{name} cannot be read: {wrong}") from wrong


def number(said: Mapping[str, Any], *keys: str) -> int | None:
    """Return the first of these that is a whole number."""
    return next((said[key] for key in keys if isinstance(said.get(key), int)), None)
