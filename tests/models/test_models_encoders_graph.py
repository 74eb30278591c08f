"""A drawn graph is the encoder it was drawn from; eight bits of it are the same on every processor."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tiny_encoder
from overproof.core.errors import UserError
from overproof.models.encoders import graph, store
from overproof.models.encoders.runtime import session
from overproof.models.encoders.shape import Pooling

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

Array = NDArray[Any]


def batch(vocabulary: int, seed: int = 0) -> tuple[Array, Array]:
    """Return four texts of 12, 7, 3 and 2 tokens, padded."""
    ids = np.random.default_rng(seed).integers(6, vocabulary, (4, 12))
    mask = (np.arange(12) < np.array([[12], [7], [3], [2]])).astype(np.int64)
    return ids * mask, mask


def run(model: bytes, ids: Array, mask: Array) -> Array:
    return np.asarray(session(model).run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0])


def reference(kind: str, config: Mapping[str, Any], weights: Mapping[str, Array], ids: Array, mask: Array) -> Array:
    """Return the token states that transformers computes from the same weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    made = getattr(transformers, f"{kind}Config")(**config, attn_implementation="eager")
    network = getattr(transformers, f"{kind}Model")(made, add_pooling_layer=False).eval()
    left = network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=False)
    assert left.missing_keys == []
    with torch.no_grad():
        return np.asarray(network(torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state)


def pooled(states: Array, mask: Array, pooling: Pooling) -> Array:
    kept = mask[..., None].astype(np.float32)
    rows = states[:, 0] if pooling == "cls" else (states * kept).sum(axis=1) / kept.sum(axis=1)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layers", [1, None])
def test_a_bert_gives_what_transformers_gives(pooling: Pooling, layers: int | None) -> None:
    config, weights = tiny_encoder.config(), tiny_encoder.weights()
    ids, mask = batch(config["vocab_size"])
    cut = config | {"num_hidden_layers": layers or tiny_encoder.LAYERS}

    found = run(graph.build(weights, config, pooling=pooling, layers=layers), ids, mask)

    assert np.abs(found - pooled(reference("Bert", cut, weights, ids, mask), mask, pooling)).max() < 1e-5


@pytest.mark.parametrize(("kind", "model_type"), [("XLMRoberta", "xlm-roberta"), ("Roberta", "roberta")])
def test_positions_of_a_roberta_are_counted_from_after_the_paddings_own(kind: str, model_type: str) -> None:
    config = tiny_encoder.config() | {"model_type": model_type, "type_vocab_size": 1, "pad_token_id": 1}
    weights = tiny_encoder.weights()
    types = "embeddings.token_type_embeddings.weight"
    weights |= {types: weights[types][:1]}
    ids, mask = batch(config["vocab_size"])
    ids = np.where(mask, ids, 1)

    found = run(graph.build(weights, config, pooling="mean"), ids, mask)

    assert np.abs(found - pooled(reference(kind, config, weights, ids, mask), mask, "mean")).max() < 1e-5


def test_minilm_gives_what_transformers_gives(minilm: Path) -> None:
    folder = store.find(minilm, "minilm")
    config, weights = store.config(folder), store.arrays(folder, store.WEIGHTS)
    ids, mask = batch(config["vocab_size"])

    found = run((folder / store.FP32).read_bytes(), ids, mask)

    known = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    assert np.abs(found - pooled(reference("Bert", config, known, ids, mask), mask, "mean")).max() < 1e-5


def test_padding_changes_nothing() -> None:
    config = tiny_encoder.config()
    model = graph.build(tiny_encoder.weights(), config, pooling="mean")
    ids, mask = batch(config["vocab_size"])

    together = run(model, ids, mask)

    alone = np.concatenate([run(model, ids[[i], :n], mask[[i], :n]) for i, n in enumerate(mask.sum(axis=1))])
    assert np.abs(together - alone).max() < 1e-6


def test_the_graph_is_sound_and_has_rows_of_length_one_unless_asked_otherwise() -> None:
    config, weights = tiny_encoder.config(), tiny_encoder.weights()
    ids, mask = batch(config["vocab_size"])
    unit, plain = (graph.build(weights, config, pooling="mean", normalise=norm) for norm in (True, False))

    onnx.checker.check_model(onnx.load_model_from_string(unit), full_check=True)
    lengths = np.linalg.norm(run(plain, ids, mask), axis=1, keepdims=True)
    assert np.allclose(run(unit, ids, mask), run(plain, ids, mask) / lengths, atol=1e-6)
    assert (np.abs(lengths - 1) > 0.1).all()


def test_a_prefix_of_the_weights_names_does_not_matter() -> None:
    config, weights = tiny_encoder.config(), tiny_encoder.weights()

    named = {f"bert.{name}": value for name, value in weights.items()}

    assert graph.build(named, config, pooling="mean") == graph.build(weights, config, pooling="mean")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "mpnet"}, "type 'mpnet'"),
        ({"hidden_act": "relu"}, "activation 'relu'"),
        ({"position_embedding_type": "relative_key"}, "absolute positions"),
        ({"num_attention_heads": 5}, "do not divide"),
        ({"hidden_size": "wide"}, "Expected `int`"),
        ({"vocab_size": 7}, "config.json says (7, 32)"),
        ({"num_hidden_layers": 3}, "lack 'encoder.layer.2.attention.self.query.weight'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says.replace("(", r"\(").replace(")", r"\)")):
        graph.build(tiny_encoder.weights(), tiny_encoder.config() | change, pooling="mean")


@pytest.mark.parametrize("layers", [0, 3, -1])
def test_no_more_layers_can_be_cut_from_it_than_it_has(layers: int) -> None:
    with pytest.raises(UserError, match=f"layers = {layers}"):
        graph.build(tiny_encoder.weights(), tiny_encoder.config(), pooling="mean", layers=layers)


def test_eight_bits_say_nothing_on_anybodys_log(caplog: pytest.LogCaptureFixture) -> None:
    handlers = list(logging.getLogger().handlers)

    graph.quantise(graph.build(tiny_encoder.weights(), tiny_encoder.config(), pooling="mean"))

    assert caplog.records == []
    assert logging.getLogger().handlers == handlers


def test_no_processor_overflows_on_eight_bits(minilm: Path) -> None:
    """Where there is no VNNI, two neighbouring products are added in 16 bits, with saturation: here they cannot."""
    model = onnx.load(store.find(minilm, "minilm") / store.INT8)
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMulInteger"]

    weights = [constants[node.input[1]].astype(np.int64) for node in products]

    assert len(weights) == 6 * 4
    assert all(255 * np.abs(weight).max() * 2 <= np.iinfo(np.int16).max for weight in weights)
    assert all(np.abs(weight).max() >= 60 for weight in weights)  # and they use the range they have
