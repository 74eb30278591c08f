"""What an encoder's `config.json` says about its build, and which builds can be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from overproof.core.errors import UserError
from overproof.core.types import Record

Pooling = Literal["mean", "cls"]

FAMILIES: dict[str, bool] = {"bert": False, "camembert": True, "roberta": True, "xlm-roberta": True}
"""Model types whose layers are BERT's; whether their positions are counted from after the padding's own."""


class Shape(Record, forbid_unknown_fields=False):
    """The part of a `config.json` that decides how the graph is drawn; it holds much else."""

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float
    hidden_act: str = "gelu"
    position_embedding_type: str | None = "absolute"
    is_decoder: bool = False
    pad_token_id: int | None = 0

    @property
    def first_position(self) -> int:
        """Row of the position table that belongs to a text's first token."""
        return (self.pad_token_id or 0) + 1 if FAMILIES[self.model_type] else 0

    @property
    def positions(self) -> int:
        """The most tokens a text may have."""
        return self.max_position_embeddings - self.first_position


def shape(config: Mapping[str, Any]) -> Shape:
    """Return the build that `config` describes.

    Raises:
        UserError: it is of a family this package cannot draw, or says something impossible.
    """
    try:
        found = msgspec.convert(dict(config), Shape)
    except msgspec.ValidationError as wrong:
        raise UserError(f"this encoder's config.json cannot be read: {wrong}") from wrong
    if found.model_type not in FAMILIES:
        raise UserError(
            f"an encoder of type {found.model_type!r} cannot be drawn from its weights; these can: "
            f"{', '.join(FAMILIES)} (any type works from the ONNX file of a hub folder without safetensors)"
        )
    _refuse_unlike_bert(found)
    return found


def _refuse_unlike_bert(found: Shape) -> None:
    if found.hidden_act != "gelu":
        raise UserError(f"an encoder with activation {found.hidden_act!r} cannot be drawn from its weights; gelu can")
    if found.position_embedding_type not in (None, "absolute") or found.is_decoder:
        raise UserError("only encoders with absolute positions that read both ways can be drawn from their weights")
    if (
        min(
            found.hidden_size,
            found.num_attention_heads,
            found.num_hidden_layers,
            found.positions,
            found.type_vocab_size,
        )
        < 1
    ):
        raise UserError("this encoder's config.json has a size below one")
    if found.hidden_size % found.num_attention_heads:
        raise UserError("this encoder's config.json has a width its attention heads do not divide")
