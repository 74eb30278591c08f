"""A hub's own ONNX file made an encoder of ours: pooling and norm drawn behind it, token types taken away."""

from __future__ import annotations

from typing import Any

import numpy as np

from overproof.core.errors import UserError
from overproof.models.encoders.drawing import FLOAT, IDS, MASK, Drawing, pool, results
from overproof.models.encoders.needed import needed
from overproof.models.encoders.shape import Pooling

STATES = ("last_hidden_state", "token_embeddings")
"""What exporters call the states of all tokens, (batch, tokens, width)."""
TYPES = "token_type_ids"
OLDEST = 11
STANDARD = frozenset({"", "ai.onnx"})


def adopt(data: bytes, width: int, *, pooling: Pooling) -> bytes:
    """Return the graph in `data` with our inputs and our output `embedding`, (batch, `width`).

    The file is a stranger's: a graph that reads other files, calls operators outside the standard, or wants other
    inputs is refused.

    Raises:
        UserError: it cannot be used; the text says why.
    """
    with needed("reading an ONNX file"):
        import onnx
        from google.protobuf.message import DecodeError  # comes with onnx

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as wrong:
        raise UserError(f"this is no ONNX file: {wrong}") from wrong
    _refuse_foreign(model)
    states = next((each.name for each in model.graph.output if each.name in STATES), None)
    if states is None:
        there = ", ".join(each.name for each in model.graph.output)
        raise UserError(f"this ONNX file gives {there or 'nothing'}; needed is one of: {', '.join(STATES)}")
    behind, before = Drawing("overproof_"), Drawing("overproof_types_")
    _without_types(model, before)
    pool(behind, states, behind.op("Cast", MASK, to=FLOAT), pooling)
    nodes = [*before.nodes, *model.graph.node, *behind.nodes]
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend([*before.constants, *behind.constants])
    model.graph.output.extend(results(width))
    return model.SerializeToString()  # type: ignore[no-any-return]  # onnx has no types


def _without_types(model: Any, before: Drawing) -> None:  # noqa: ANN401 - onnx has no types
    """Feed the token types, where the graph wants them, with zeros shaped like the tokens."""
    wanted = {each.name for each in model.graph.input} - {each.name for each in model.graph.initializer}
    if not {IDS, MASK} <= wanted or not wanted <= {IDS, MASK, TYPES}:
        raise UserError(f"this ONNX file wants {', '.join(sorted(wanted))}; needed are {IDS} and {MASK}")
    if TYPES in wanted:
        before.op("Mul", IDS, before.constant(np.array(0, np.int64)), output=TYPES)
        kept = [each for each in model.graph.input if each.name != TYPES]
        del model.graph.input[:]
        model.graph.input.extend(kept)


def _refuse_foreign(model: Any) -> None:  # noqa: ANN401 - onnx has no types
    from onnx import TensorProto

    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise UserError("this ONNX file keeps its weights in other files; one whole file is needed")
    foreign = {node.domain for node in model.graph.node} - STANDARD
    opset = max((each.version for each in model.opset_import if each.domain in STANDARD), default=0)
    if foreign or model.functions:
        raise UserError(
            f"this ONNX file calls operators outside the standard ({', '.join(sorted(foreign)) or 'own functions'})"
        )
    if opset < OLDEST:
        raise UserError(f"this ONNX file is of opset {opset}; {OLDEST} or newer is needed")
