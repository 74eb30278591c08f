"""A very small encoder with random weights, in the hub's layout: what does not need a trained one is tested with it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders import install as installing
from overproof.models.encoders.store import EncoderInfo

WIDTH, LAYERS, INNER, TOKENS, HEADS = 32, 2, 64, 64, 4
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]")
WORDS = (
    "the a of and to in is you that it he was for on are as with his they i at be this have from or one had by "
    "word but not what all were we when your can said there use an each which she do how their if will up other "
    "about out many then them these so some her would make like him into time has look two more write go see "
    "number no way could people my than first water been call who oil its now find long down day did get come "
    "made may part card payment refund account password login invoice charge order parcel delivery broken late "
    "cancel change address reset locked money bank transfer fee app crash error slow update phone email help "
    "please thanks twice wrong missing new old"
)


def vocabulary() -> list[str]:
    """Special tokens, words, and every letter and digit as a whole word and as a piece: nothing plain is unknown."""
    letters = [chr(code) for code in (*range(ord("a"), ord("z") + 1), *range(ord("0"), ord("9") + 1))]
    pieces = [f"##{letter}" for letter in letters] + ["##s", "##ed", "##ing", "##er", "##ment"]
    marks = list(".,!?'-:;/€äöüßéèñ¿")
    return list(dict.fromkeys([*SPECIAL, *WORDS.split(), *letters, *pieces, *marks]))


def config() -> dict[str, Any]:
    """Its `config.json`."""
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(vocabulary()),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": TOKENS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "pad_token_id": 0,
    }


def weights(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Its tensors under Hugging Face's names, drawn from `seed`: what a text says outweighs what all texts share."""
    random = np.random.default_rng(seed)

    def draw(*shape: int, scale: float = 0.3) -> NDArray[np.float32]:
        return random.normal(0, scale, shape).astype(np.float32)

    def small(*shape: int) -> NDArray[np.float32]:
        return draw(*shape, scale=0.03)

    made = {
        "embeddings.word_embeddings.weight": draw(len(vocabulary()), WIDTH),
        "embeddings.position_embeddings.weight": small(TOKENS, WIDTH),
        "embeddings.token_type_embeddings.weight": small(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        dense = {f"attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        dense |= {"attention.output.dense": (WIDTH, WIDTH)}
        dense |= {"intermediate.dense": (INNER, WIDTH), "output.dense": (WIDTH, INNER)}
        for name, shape in dense.items():
            made[f"{layer}.{name}.weight"], made[f"{layer}.{name}.bias"] = draw(*shape), small(shape[0])
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        made[f"{name}.weight"], made[f"{name}.bias"] = np.float32(1) + small(WIDTH), small(WIDTH)
    return made


def tokenizer() -> str:
    """Its `tokenizer.json`: WordPiece over `vocabulary`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {token: number for number, token in enumerate(vocabulary())}
    made = Tokenizer(models.WordPiece(vocab=words, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    made.add_special_tokens(list(SPECIAL[:5]))
    return made.to_str()


def write(folder: Path, seed: int = 0) -> Path:
    """Write it to `folder` as the hub would, and return the folder."""
    from safetensors.numpy import save_file

    (folder / "1_Pooling").mkdir(parents=True)
    save_file(weights(seed), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config()))
    (folder / "tokenizer.json").write_text(tokenizer(), "utf-8")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


def install(home: Path, name: str = "tiny", seed: int = 0) -> EncoderInfo:
    """Install it into `home`."""
    with tempfile.TemporaryDirectory() as folder:
        return installing.add(home, name, path=write(Path(folder) / "hub", seed))
