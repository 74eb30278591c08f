"""What training is made of: the order of its steps, the network it trains, the state it can go on from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny_encoder
from lessons import TAUGHT
from overproof.core.chance import digest
from overproof.models.encoders import graph
from overproof.models.encoders.runtime import Encoder
from overproof.models.encoders.shape import Pooling
from overproof.models.encoders.tokens import tokenizer
from overproof.students import fine_tune_steps
from overproof.students.fine_tune_job import CHECKPOINT, JOB, LESSON, TUNED, Job, Lesson, lesson_bytes, place, read
from overproof.students.fine_tune_network import head_of, open_network, padded, prefix_of
from overproof.students.fine_tune_steps import AT_ONCE, Pace, Trainer, batches, parts, schedule

Make = Callable[[Job, Lesson], Trainer]

lengths = st.lists(st.integers(1, 512), min_size=1, max_size=300).map(np.array)


def lesson(count: int = 40, labels: int = 3, seed: int = 0) -> Lesson:
    rng = np.random.default_rng(seed)
    tokens = [rng.integers(5, 100, size=rng.integers(2, 12)).astype(np.int32) for _ in range(count)]
    targets = np.eye(labels, dtype=np.float32)[rng.integers(labels, size=count)]
    start = rng.normal(size=(tiny_encoder.WIDTH + 1, labels)).astype(np.float32)
    return Lesson(tokens, targets, np.ones(count, np.float32), start)


def job(taught: Lesson, **changed: Any) -> Job:  # noqa: ANN401 - any field
    return Job(
        **{
            "encoder": "nowhere",
            "weights": "of the encoder",
            "lesson": digest(lesson_bytes(taught)),
            "pooling": "mean",
            "layers": 2,
            "epochs": 2,
            "batch": 8,
            "learning_rate": 1e-3,
            "seed": 0,
            **changed,
        }
    )


@given(lengths, st.integers(1, 40), st.integers(0, 9))
def test_an_epoch_holds_every_example_once(lengths: np.ndarray, size: int, seed: int) -> None:
    cut = batches(lengths, size, np.random.default_rng(seed))

    assert sorted(np.concatenate(cut)) == list(range(len(lengths)))
    assert len(cut) == -(-len(lengths) // size)
    assert max(map(len, cut)) <= size


def test_texts_of_a_batch_are_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(2, 100, size=1600)
    cut = batches(lengths, 32, np.random.default_rng(1))

    padding = sum(len(rows) * lengths[rows].max() for rows in cut) / lengths.sum()

    assert padding < 1.05  # unsorted it is nearly 2


@given(lengths)
def test_a_batch_is_computed_in_parts_that_fit(lengths: np.ndarray) -> None:
    cut = parts(np.arange(len(lengths)), lengths)

    assert np.array_equal(np.concatenate(cut), np.arange(len(lengths)))
    assert all(len(rows) * lengths[rows].max() <= AT_ONCE for rows in cut)


@given(st.integers(1, 5000))
def test_the_rate_rises_and_then_falls_to_nothing(total: int) -> None:
    rates = [schedule(step, total) for step in range(total)]
    top = int(np.argmax(rates))

    assert all(0 < rate <= 1 for rate in rates)
    assert rates == sorted(rates[: top + 1]) + sorted(rates[top + 1 :], reverse=True)
    assert top <= 0.1 * total + 1


def test_a_lesson_is_read_as_it_was_laid_out(tmp_path: Path) -> None:
    taught = lesson()
    place(tmp_path, job(taught), lesson_bytes(taught))

    asked, found = read(tmp_path)

    assert asked == job(taught)
    assert all(map(np.array_equal, found.tokens, taught.tokens))
    assert all(map(np.array_equal, found[1:], taught[1:]))


def test_what_a_run_of_the_same_job_left_stays(tmp_path: Path) -> None:
    taught = lesson()
    place(tmp_path, job(taught), lesson_bytes(taught))
    (tmp_path / CHECKPOINT).write_bytes(b"half way")

    place(tmp_path, job(taught), lesson_bytes(taught))

    assert (tmp_path / CHECKPOINT).read_bytes() == b"half way"


@pytest.mark.parametrize("changed", [{"seed": 1}, {"epochs": 3}, {"weights": "of another"}, {"learning_rate": 1e-4}])
def test_what_a_run_of_another_job_left_goes(tmp_path: Path, changed: dict[str, Any]) -> None:
    taught = lesson()
    place(tmp_path, job(taught), lesson_bytes(taught))
    for name in (CHECKPOINT, TUNED):
        (tmp_path / name).write_bytes(b"of the other")

    place(tmp_path, job(taught, **changed), lesson_bytes(taught))

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([JOB, LESSON])


def test_a_changed_lesson_is_noticed(tmp_path: Path) -> None:
    taught = lesson()
    place(tmp_path, job(taught), lesson_bytes(taught))
    (tmp_path / LESSON).write_bytes(lesson_bytes(lesson(seed=1)))

    with pytest.raises(ValueError, match="changed after it was written"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "prefix"), [("embeddings.word_embeddings.weight", ""), ("bert.embeddings.word_embeddings.weight", "bert.")]
)
def test_names_of_weights_may_stand_behind_a_prefix(name: str, prefix: str) -> None:
    assert prefix_of({"cls.bias": 0, name: 0}) == prefix


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("onnx", "onnxruntime", "tokenizers", "torch", "transformers"):
        pytest.importorskip(module)
    home = tmp_path_factory.mktemp("encoders")
    tiny_encoder.install(home)
    return home / "tiny"


@pytest.fixture
def trainer(encoder: Path) -> Iterator[Make]:
    """Make trainers of one thread in single precision, which is as exact on any processor."""
    import torch

    def make(asked: Job, taught: Lesson) -> Trainer:
        made = Trainer(asked, taught, open_network(encoder, asked.pooling, asked.layers, taught.head))
        made.pace = Pace(threads=1, bf16=False)
        return made

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield make
    torch.set_num_threads(before)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_what_is_trained_is_what_will_be_served(encoder: Path, layers: int, pooling: Pooling) -> None:
    """torch and the drawn graph read texts alike, torch all at once with padding, the graph each by itself."""
    import torch

    texts = [text for text, _ in TAUGHT]
    head = lesson().head
    network = open_network(encoder, pooling, layers, head)
    network.encoder.eval()
    drawn = graph.build(tiny_encoder.weights(), tiny_encoder.config(), pooling=pooling, layers=layers)
    served = Encoder(drawn, tiny_encoder.tokenizer().encode(), tokens=tiny_encoder.TOKENS)
    words = tokenizer(served.tokenizer_json, served.tokens)

    with torch.inference_mode():
        said = network.logits([np.array(words.encode(text).ids, dtype=np.int32) for text in texts]).numpy()

    assert np.allclose(said, served.embed(texts) @ head[:-1] + head[-1], atol=1e-4)


def test_the_head_comes_out_as_it_went_in(encoder: Path) -> None:
    head = lesson().head
    trained = open_network(encoder, "mean", 1, head).trained()

    assert np.allclose(head_of({name: each.detach().numpy() for name, each in trained.items()}), head, atol=1e-6)


def test_word_embeddings_are_not_trained(encoder: Path) -> None:
    names = set(open_network(encoder, "mean", 1, lesson().head).trained())

    assert "embeddings.word_embeddings.weight" not in names
    assert {"embeddings.position_embeddings.weight", "encoder.layer.0.output.dense.weight", "head.weight"} <= names
    assert not any(name.startswith("encoder.layer.1.") for name in names)


def test_training_taken_up_again_ends_with_the_same_weights(trainer: Make, tmp_path: Path) -> None:
    taught = lesson()
    undisturbed, first, second = (trainer(job(taught), taught) for _ in range(3))
    undisturbed.run(1e9, lambda: None, lambda done, total: None)
    for rows, _ in zip(first._rest(), range(7), strict=False):  # into the second of two epochs of five batches
        first.step(rows)
    first.save(tmp_path / CHECKPOINT)

    second.take_up(tmp_path / CHECKPOINT)
    second.run(1e9, lambda: None, lambda done, total: None)

    assert first.done == 7
    assert second.done == undisturbed.done == 10
    assert all((each == second.trained[name]).all() for name, each in undisturbed.trained.items())


def test_finding_the_pace_teaches_nothing(trainer: Make) -> None:
    import torch

    taught = lesson()
    made = trainer(job(taught), taught)
    before = {name: each.detach().clone() for name, each in made.trained.items()}
    torch.set_num_threads(2)
    made.find_pace()

    assert made.pace.threads in {1, 2}
    assert torch.get_num_threads() == made.pace.threads
    assert made.done == 0
    assert all(torch.equal(each, before[name]) for name, each in made.trained.items())


def test_a_batch_in_parts_teaches_what_it_teaches_whole(trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = lesson(count=16)
    whole, parted = (trainer(job(taught, batch=16), taught) for _ in range(2))
    for each in (whole, parted):
        each.network.encoder.eval()  # dropout draws otherwise for other parts
    loss = whole._gradients(np.arange(16), 0)
    monkeypatch.setattr(fine_tune_steps, "AT_ONCE", 40)

    assert parted._gradients(np.arange(16), 0) == pytest.approx(loss, rel=1e-5)
    for name, each in whole.trained.items():
        if each.grad is not None:
            assert np.allclose(each.grad, parted.trained[name].grad, atol=1e-5), name


def test_a_rate_that_is_too_high_is_said(trainer: Make) -> None:
    taught = lesson()._replace(share=np.full(40, np.inf, np.float32))
    made = trainer(job(taught), taught)

    with pytest.raises(ValueError, match="lower learning_rate"):
        made.run(1e9, lambda: None, lambda done, total: None)


def test_a_text_counts_by_its_share(trainer: Make) -> None:
    taught = lesson(count=8)
    muted = taught._replace(share=np.zeros(8, np.float32))

    assert trainer(job(muted), muted)._gradients(np.arange(8), 0) == 0
    assert trainer(job(taught), taught)._gradients(np.arange(8), 0) > 0


def test_padding_is_masked() -> None:
    ids, mask = padded([np.array([7, 8], np.int32), np.array([9], np.int32)])

    assert ids.tolist() == [[7, 8], [9, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]
