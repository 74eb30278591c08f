"""A hub's own ONNX file becomes an encoder of ours, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tiny_encoder
from overproof.core.errors import UserError
from overproof.models.encoders import install, store
from overproof.models.encoders.adopt import adopt
from overproof.models.encoders.runtime import Encoder
from overproof.models.encoders.shape import Pooling
from overproof.models.encoders.tokens import tokenizer

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

WIDTH = 8
VOCABULARY = len(tiny_encoder.vocabulary())
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
TYPES = RANDOM.normal(size=(2, WIDTH)).astype(np.float32)


def exported(
    *,
    output: str = "last_hidden_state",
    types: bool = True,
    opset: int = 14,
    extra: Any = None,  # noqa: ANN401 - onnx has no types
    more: str = "",
) -> Any:  # noqa: ANN401 - onnx has no types
    """Return a graph as an exporter would leave it: a word's state is its row and its type's."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("Gather", ["rows", "input_ids"], ["words"])]
    if types:
        nodes += [
            helper.make_node("Gather", ["types", "token_type_ids"], ["kinds"]),
            helper.make_node("Add", ["words", "kinds"], [output]),
        ]
    else:
        nodes += [helper.make_node("Identity", ["words"], [output])]
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else []), *([more] if more else [])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    states = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "sequence", WIDTH])
    constants = [numpy_helper.from_array(ROWS, "rows"), numpy_helper.from_array(TYPES, "types")]
    graph = helper.make_graph([*nodes, *([extra] if extra else [])], "net", inputs, [states], initializer=constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def expected(text: str, pooling: Pooling) -> NDArray[np.float32]:
    ids = tokenizer(tiny_encoder.tokenizer().encode()).encode(text).ids
    states = ROWS[ids] + TYPES[0]
    row = states[0] if pooling == "cls" else states.mean(axis=0)
    return np.asarray(row / np.linalg.norm(row))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("output", ["last_hidden_state", "token_embeddings"])
@pytest.mark.parametrize("opset", [11, 14, 18])
def test_pooling_is_drawn_behind_it_and_token_types_are_the_first(pooling: Pooling, output: str, opset: int) -> None:
    model = adopt(exported(output=output, opset=opset).SerializeToString(), WIDTH, pooling=pooling)

    encoder = Encoder(model, tiny_encoder.tokenizer().encode(), tokens=64)

    onnx.checker.check_model(onnx.load_model_from_string(model), full_check=True)
    for text in ("late card payment", "refund", ""):
        assert np.abs(encoder.embed_one(text) - expected(text, pooling)).max() < 1e-6


def test_it_is_installed_where_there_are_no_safetensors(tmp_path: Path) -> None:
    hub = tiny_encoder.write(tmp_path / "hub")
    (hub / "model.safetensors").unlink()
    (hub / "onnx").mkdir()
    (hub / "onnx" / "model.onnx").write_bytes(exported().SerializeToString())
    config = {"model_type": "distilbert", "dim": WIDTH, "n_layers": 6, "vocab_size": VOCABULARY}
    (hub / "config.json").write_text(json.dumps(config))

    info = install.add(tmp_path / "home", "org/theirs", path=hub)

    folder = tmp_path / "home" / "theirs"
    assert (info.name, info.width, info.layers, info.trainable, info.tokens) == ("theirs", WIDTH, 6, False, 512)
    assert store.damage(folder) == ()
    assert np.abs(Encoder.open(folder, precision="fp32").embed_one("late") - expected("late", "mean")).max() < 1e-6
    with pytest.raises(UserError, match="made from an ONNX file, not from weights"):
        store.arrays(folder, store.WEIGHTS)


def test_a_graph_of_another_width_than_its_config_says_is_refused(tmp_path: Path) -> None:
    hub = tiny_encoder.write(tmp_path / "hub")
    (hub / "model.safetensors").unlink()
    (hub / "onnx").mkdir()
    (hub / "onnx" / "model.onnx").write_bytes(exported().SerializeToString())

    with pytest.raises(UserError, match=r"gives 8 numbers a text, config\.json says 32"):
        install.add(tmp_path / "home", "theirs", path=hub)


def outside(model: Any) -> Any:  # noqa: ANN401 - onnx has no types
    """Point a constant at a file of the machine."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (outside(exported()), "keeps its weights in other files"),
        (exported(extra=onnx.helper.make_node("Run", ["words"], ["x"], domain="evil")), "outside the standard .evil"),
        (exported(opset=10), "opset 10"),
        (exported(output="logits"), "gives logits; needed is one of: last_hidden_state"),
        (exported(more="decoder_input_ids"), "wants attention_mask, decoder_input_ids, input_ids, token_type_ids"),
    ],
)
def test_a_file_that_cannot_be_trusted_or_used_is_refused(model: Any, says: str) -> None:  # noqa: ANN401 - same
    with pytest.raises(UserError, match=says):
        adopt(model.SerializeToString(), WIDTH, pooling="mean")


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(UserError, match="no ONNX file"):
        adopt(b"\xff\xff\xff", WIDTH, pooling="mean")
