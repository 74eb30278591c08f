"""Packages that only those who use encoders have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from overproof.core.errors import MissingExtra

EXTRAS = {
    "encoder": frozenset({"huggingface_hub", "onnx", "onnxruntime", "tokenizers"}),
    "train": frozenset({"torch", "transformers"}),
}
"""What each extra brings, by the name it is imported by."""


@contextlib.contextmanager
def needed(what: str) -> Iterator[None]:
    """Turn the failed import of an optional package into the sentence that names its extra.

    `what` is the subject of that sentence. A package that is there but broken still says so itself.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        for extra, packages in EXTRAS.items():
            if missing.name in packages:
                raise MissingExtra(extra, what) from missing
        raise
