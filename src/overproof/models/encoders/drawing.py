"""The hand that draws ONNX graphs: nodes, constants, and the part that every encoder ends in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders.needed import needed
from overproof.models.encoders.shape import Pooling

OPSET = 17  # the first with LayerNormalization
IR_VERSION = 8
FLOAT = 1  # onnx.TensorProto.FLOAT
IDS, MASK = "input_ids", "attention_mask"
OUTPUT, POOLED = "embedding", "pooled"
"""What comes out, both (batch, width): rows of length 1, and the same rows before that."""


class Drawing:
    """Nodes and constants of a graph on its way; every method returns the name of what it added."""

    def __init__(self, prefix: str = "") -> None:
        with needed("drawing an encoder's graph"):
            import onnx
        self._onnx = onnx
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant tensor."""
        name = f"{self._prefix}c{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:  # noqa: ANN401 - ONNX attributes
        """Add a node with one output."""
        name = output or f"{self._prefix}n{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def outputs(self, kind: str, *inputs: str, count: int, **attributes: Any) -> list[str]:  # noqa: ANN401 - same
        """Add a node with `count` outputs."""
        names = [f"{self._prefix}n{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, names, **attributes))
        return names


def pool(drawing: Drawing, state: str, mask: str, pooling: Pooling, *, normalise: bool = True) -> None:
    """Draw `embedding` and `pooled` from token states (batch, tokens, width) and the mask as float32 (batch, tokens).

    Takes only operators that every opset since 7 spells alike, so that it fits behind a graph that is not ours.
    """
    if pooling == "cls":
        pooled = drawing.op("Gather", state, drawing.constant(np.array(0, np.int64)), axis=1)
    else:
        row = drawing.op("Reshape", mask, drawing.constant(np.array([0, 1, -1], np.int64)))
        column = drawing.op("Reshape", mask, drawing.constant(np.array([0, -1, 1], np.int64)))
        count = drawing.op("MatMul", row, column)  # the mask is 0 or 1, so its square sums to the tokens
        mean = drawing.op("Div", drawing.op("MatMul", row, state), count)
        pooled = drawing.op("Reshape", mean, drawing.constant(np.array([0, -1], np.int64)))
    drawing.op("Identity", pooled, output=POOLED)
    drawing.op("LpNormalization" if normalise else "Identity", pooled, output=OUTPUT)


def results(width: int) -> list[Any]:
    """Return the outputs of every encoder's graph."""
    from onnx import helper

    return [helper.make_tensor_value_info(name, FLOAT, ["batch", width]) for name in (OUTPUT, POOLED)]


def model(drawing: Drawing, width: int) -> bytes:
    """Return the finished model: `input_ids` and `attention_mask` in, `embedding` (batch, `width`) out."""
    from onnx import TensorProto, helper

    def ids(name: str) -> Any:  # noqa: ANN401 - onnx has no types
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])

    graph = helper.make_graph(
        drawing.nodes, "encoder", [ids(IDS), ids(MASK)], results(width), initializer=drawing.constants
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="overproof")
    made.ir_version = IR_VERSION
    return made.SerializeToString()  # type: ignore[no-any-return]  # onnx has no types
