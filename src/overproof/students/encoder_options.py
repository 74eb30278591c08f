"""What can be turned about the encoder student."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from overproof.core.types import Record


class EncoderOptions(Record):
    """Which encoder a student reads with, how much of it, and whether it is trained further."""

    name: str = ""
    """What reports call it; when left empty "encoder", with "-tuned" and "-3-layers" where that is so."""
    model: str = "minilm"
    """The installed encoder."""
    layers: Annotated[int, Meta(ge=1)] | None = None
    """How many of its layers are kept, from the first. Fewer are faster, and know less. None: all."""
    fine_tune: bool = False
    """Whether its layers learn from the examples too, which needs the extra `train`, or only the head on top."""
    epochs: Annotated[int, Meta(ge=1, le=100)] = 3
    """How often fine-tuning goes over the examples; few examples are gone over more often, for 200 steps at least."""
    learning_rate: Annotated[float, Meta(gt=0, le=0.01)] = 2e-4
    """How far fine-tuning moves the layers at each step. Less is safer, and needs more epochs."""
    precision: Literal["auto", "int8", "fp32"] = "auto"
    """What it computes with. `auto`: 8 bits, unless tune shows that they lose something."""
    penalty: Annotated[float, Meta(ge=1e-7, lt=1)] | None = None
    """L2 penalty on the head's weights beside the mean loss. None: the one that does best on tune."""

    def __post_init__(self) -> None:
        """Name the student that the other options describe."""
        if not self.name:
            tuned, layers = "-tuned" if self.fine_tune else "", f"-{self.layers}-layers" if self.layers else ""
            msgspec.structs.force_setattr(self, "name", f"encoder{tuned}{layers}")
