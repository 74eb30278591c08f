"""An encoder as an ONNX graph: drawn from its weights with the `onnx` package alone, pooling and norm inside.

Inputs `input_ids` and `attention_mask`, int64 (batch, tokens); output `embedding`, float32 (batch, width),
and `pooled`, the same before the norm.
Token types are always the first, so they are added to the positions once and for all; the scale of the attention scores
is folded into the queries, and queries, keys and values are one product (one quantised product instead of three).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.core.errors import UserError
from overproof.models.encoders.drawing import FLOAT, IDS, MASK, Drawing, model, pool
from overproof.models.encoders.needed import needed
from overproof.models.encoders.shape import Pooling, Shape, shape

WORDS = "embeddings.word_embeddings.weight"
MASKED = np.float32(np.finfo(np.float32).min)

Weights = Mapping[str, NDArray[np.floating[Any]]]


def build(
    weights: Weights, config: Mapping[str, Any], *, pooling: Pooling, layers: int | None = None, normalise: bool = True
) -> bytes:
    """Return the ONNX model of a BERT-like encoder; the first `layers` of its layers, or all.

    `weights` bear the names of Hugging Face's safetensors, whatever stands before `embeddings.` and `encoder.`;
    `config` is its config.json. With `normalise` the rows of `embedding` have length 1.

    Raises:
        UserError: a tensor is missing or of another shape than the config says, or there are not that many layers.
    """
    plan = shape(config)
    kept = plan.num_hidden_layers if layers is None else layers
    if not 1 <= kept <= plan.num_hidden_layers:
        raise UserError(f"this encoder has {plan.num_hidden_layers} layers: layers = {kept} cannot be cut from it")
    drawing = Drawing()
    parts = _Parts(weights, plan)
    mask = drawing.op("Cast", MASK, to=FLOAT)
    state = _embed(drawing, parts, plan)
    bias = _bias(drawing, mask)
    for number in range(kept):
        state = _layer(drawing, parts.at(f"encoder.layer.{number}."), plan, state, bias)
    pool(drawing, state, mask, pooling, normalise=normalise)
    return model(drawing, plan.hidden_size)


def quantise(graph: bytes) -> bytes:
    """Return an encoder's graph with int8 weights: a quarter of the size, two to three times as fast.

    Products take their activations' scale as they run, weights have one for each output channel. Weights keep to 7
    bits. Processors without VNNI add pairs of products in 16 bits, which 255 · 127 · 2 overflows and 255 · 64 · 2 does
    not: with 8 bits the same graph would answer differently there, and wrongly. The bit costs 0.0015
    of cosine on MiniLM.
    """
    with needed("quantising an encoder"):
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = onnx.load_model_from_string(graph)
    mark = whole.metadata_props.add()  # or it warns, on the root logger, that symbolic shapes were not inferred first:
    mark.key, mark.value = "onnx.quant.pre_process", "onnxruntime.quant"  # products with constants do not need them
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(whole, path, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        return path.read_bytes()


class _Parts:
    """The weights under a prefix, each held against the shape it must have."""

    def __init__(self, weights: Weights, plan: Shape, prefix: str | None = None) -> None:
        self._weights, self._plan = weights, plan
        self._prefix = _prefix(weights) if prefix is None else prefix

    def at(self, prefix: str) -> _Parts:
        return _Parts(self._weights, self._plan, self._prefix + prefix)

    def get(self, name: str, *size: int) -> NDArray[np.float32]:
        found = self._weights.get(self._prefix + name)
        if found is None:
            raise UserError(f"this encoder's weights lack {self._prefix + name!r}")
        if found.shape != size:
            raise UserError(
                f"this encoder's {self._prefix + name!r} has shape {found.shape}, its config.json says {size}"
            )
        return found.astype(np.float32, copy=False)

    def linear(self, name: str, inputs: int, outputs: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a dense layer as (inputs, outputs) weights and (outputs,) bias."""
        return self.get(f"{name}.weight", outputs, inputs).T, self.get(f"{name}.bias", outputs)


def _prefix(weights: Weights) -> str:
    found = [name for name in weights if name.endswith(WORDS)]
    if len(found) != 1:
        raise UserError(f"these weights are no BERT-like encoder's: {len(found)} tensors end in {WORDS!r}, not one")
    return found[0].removesuffix(WORDS)


def _embed(drawing: Drawing, parts: _Parts, plan: Shape) -> str:
    """Draw word + position + token type, normalised, (batch, tokens, width)."""
    width, first = plan.hidden_size, plan.first_position
    kinds = parts.get("embeddings.token_type_embeddings.weight", plan.type_vocab_size, width)
    places = parts.get("embeddings.position_embeddings.weight", plan.max_position_embeddings, width)[first:] + kinds[0]
    words = drawing.constant(parts.get(WORDS, plan.vocab_size, width))
    size = drawing.op("Shape", IDS, start=1, end=2)
    start, step, axis = (drawing.constant(np.array([value], np.int64)) for value in (0, 1, 0))
    rows = drawing.op("Slice", drawing.constant(places), start, size, axis, step)
    summed = drawing.op("Add", drawing.op("Gather", words, IDS), rows)
    return _norm(drawing, parts.at("embeddings."), plan, summed)


def _bias(drawing: Drawing, mask: str) -> str:
    """Draw what is added to attention scores, (batch, 1, 1, tokens): 0 for a token, the lowest number for padding."""
    absent = drawing.op("Sub", drawing.constant(np.float32(1)), mask)
    lowest = drawing.op("Mul", absent, drawing.constant(MASKED))
    return drawing.op("Reshape", lowest, drawing.constant(np.array([0, 1, 1, -1], np.int64)))


def _layer(drawing: Drawing, parts: _Parts, plan: Shape, state: str, bias: str) -> str:
    width, inner = plan.hidden_size, plan.intermediate_size
    seen = _attention(drawing, parts.at("attention.self."), plan, state, bias)
    seen = _dense(drawing, seen, *parts.linear("attention.output.dense", width, width))
    state = _norm(drawing, parts.at("attention.output."), plan, drawing.op("Add", seen, state))
    made = _gelu(drawing, _dense(drawing, state, *parts.linear("intermediate.dense", width, inner)))
    made = _dense(drawing, made, *parts.linear("output.dense", inner, width))
    return _norm(drawing, parts.at("output."), plan, drawing.op("Add", made, state))


def _attention(drawing: Drawing, parts: _Parts, plan: Shape, state: str, bias: str) -> str:
    """Draw self-attention, (batch, tokens, width)."""
    width, heads = plan.hidden_size, plan.num_attention_heads
    three = [parts.linear(name, width, width) for name in ("query", "key", "value")]
    scale = np.float32(1 / math.sqrt(width // heads))
    three[0] = (three[0][0] * scale, three[0][1] * scale)
    weight, offset = (np.concatenate(each, axis=-1) for each in zip(*three, strict=True))
    split = drawing.constant(np.array([0, 0, 3, heads, width // heads], np.int64))
    parted = drawing.op("Reshape", _dense(drawing, state, weight, offset), split)
    third = drawing.op("Transpose", parted, perm=[2, 0, 3, 1, 4])  # (3, batch, heads, tokens, width of a head)
    axis = [drawing.constant(np.array(number, np.int64)) for number in range(3)]
    query, key, value = (drawing.op("Gather", third, number, axis=0) for number in axis)
    scores = drawing.op("MatMul", query, drawing.op("Transpose", key, perm=[0, 1, 3, 2]))
    looked = drawing.op("Softmax", drawing.op("Add", scores, bias), axis=-1)
    mixed = drawing.op("Transpose", drawing.op("MatMul", looked, value), perm=[0, 2, 1, 3])
    return drawing.op("Reshape", mixed, drawing.constant(np.array([0, 0, width], np.int64)))


def _dense(drawing: Drawing, state: str, weight: NDArray[np.float32], offset: NDArray[np.float32]) -> str:
    return drawing.op("Add", drawing.op("MatMul", state, drawing.constant(weight)), drawing.constant(offset))


def _norm(drawing: Drawing, parts: _Parts, plan: Shape, state: str) -> str:
    scale, offset = (drawing.constant(parts.get(f"LayerNorm.{name}", plan.hidden_size)) for name in ("weight", "bias"))
    return drawing.op("LayerNormalization", state, scale, offset, axis=-1, epsilon=plan.layer_norm_eps)


def _gelu(drawing: Drawing, state: str) -> str:
    """Draw x · (1 + erf(x / √2)) / 2, the pattern that onnxruntime knows as one kernel."""
    turned = drawing.op("Erf", drawing.op("Div", state, drawing.constant(np.float32(math.sqrt(2)))))
    lifted = drawing.op("Mul", state, drawing.op("Add", turned, drawing.constant(np.float32(1))))
    return drawing.op("Mul", lifted, drawing.constant(np.float32(0.5)))
