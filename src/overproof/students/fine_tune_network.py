"""The network that is fine-tuned, in torch: an encoder's first layers, pooled, below a linear head."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders.shape import Pooling

if TYPE_CHECKING:
    from torch import Tensor, nn

WORDS = "embeddings.word_embeddings.weight"
HEAD = "head."
LENGTH = 6.0
"""Rows are given this length before the head reads them: about what they had before they were brought to length 1, as
they are served. It decides how fast the head learns beside the encoder."""


@dataclass(frozen=True)
class Network:
    """Encoder and head. The word embeddings stay as they are: updating them is a third of a step and buys nothing."""

    encoder: nn.Module
    head: nn.Linear
    pooling: Pooling
    prefix: str
    """What stands before the names of the weights in the encoder's file."""

    def logits(self, tokens: Sequence[NDArray[np.int32]]) -> Tensor:
        """Return shape (texts, labels), in single precision."""
        import torch

        ids, mask = map(torch.from_numpy, padded(tokens))
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = torch.nn.functional.normalize(pooled(hidden, mask, self.pooling).float())
        scores: Tensor = self.head(LENGTH * rows)
        return scores.float()

    def trained(self) -> dict[str, nn.Parameter]:
        """Return what training changes, named as in the encoder's file; the head's names begin with `head.`."""
        encoder = {self.prefix + name: each for name, each in self.encoder.named_parameters() if each.requires_grad}
        return encoder | {HEAD + name: each for name, each in self.head.named_parameters()}


def open_network(folder: Path, pooling: Pooling, layers: int, start: NDArray[np.float32]) -> Network:
    """Return the network that begins as the encoder installed in `folder` below the head `start`, (width + 1, labels).

    Raises:
        ValueError: the weights are not those of the architecture that `config.json` describes.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    described = json.loads((folder / "config.json").read_bytes())
    config = AutoConfig.for_model(**described | {"num_hidden_layers": layers})
    encoder = AutoModel.from_config(config, attn_implementation="sdpa", add_pooling_layer=False)
    weights = load_file(folder / "weights.safetensors")
    prefix = prefix_of(weights)
    found = {name.removeprefix(prefix): each.float() for name, each in weights.items() if name.startswith(prefix)}
    missing = encoder.load_state_dict(found, strict=False).missing_keys
    if missing:
        raise ValueError(f"{folder} holds no weights for {missing[0]!r}, which its config.json asks for")
    encoder.get_input_embeddings().requires_grad_(requires_grad=False)
    return Network(encoder.train(), _head(start), pooling, prefix)


def _head(start: NDArray[np.float32]) -> nn.Linear:
    import torch

    head = torch.nn.Linear(len(start) - 1, start.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(start[:-1].T / LENGTH))
        head.bias.copy_(torch.from_numpy(start[-1]))
    return head


def head_of(trained: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float32]:
    """Return the head among `trained` weights as it reads rows of length 1, (width + 1, labels), the bias last."""
    weight, bias = trained[HEAD + "weight"], trained[HEAD + "bias"]
    return np.concatenate([weight.T * LENGTH, bias[None]]).astype(np.float32)


def prefix_of(weights: Mapping[str, object]) -> str:
    """Return what stands before the names of an encoder's weights, such as "bert."; often nothing."""
    return next((name.removesuffix(WORDS) for name in weights if name.endswith(WORDS)), "")


def padded(tokens: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and mask, both (texts, longest)."""
    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, each in enumerate(tokens):
        ids[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return ids, mask


def pooled(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Return one vector for each text, shape (texts, width): the mean of its tokens' vectors, or its first ("cls")."""
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
