"""Texts as token numbers: the encoder's own `tokenizer.json`, cut where the encoder's positions end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.core.errors import UserError
from overproof.models.encoders.needed import needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenizers import Encoding, Tokenizer


def tokenizer(data: bytes, tokens: int | None = None) -> Tokenizer:
    """Return the tokenizer that `data`, a `tokenizer.json`, describes: without padding, cut after `tokens` or never.

    Raises:
        UserError: `data` describes none.
    """
    with needed("reading an encoder's tokenizer"):
        from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_buffer(data)
    except Exception as wrong:  # the Rust side raises nothing narrower
        raise UserError(f"this encoder's tokenizer.json cannot be read: {wrong}") from wrong
    made.no_padding()
    if tokens is None:
        made.no_truncation()
    else:
        made.enable_truncation(tokens)
    return made


def cutter(data: bytes) -> Callable[[str], Encoding]:
    """Return what cuts a text into its tokens: all of them, and none beside; `data` as for `tokenizer`."""
    encode = tokenizer(data).encode
    return lambda text: encode(valid(text), add_special_tokens=False)


def valid(text: str) -> str:
    """Return `text` with a question mark for each half of a character, which logs may hold and no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
