"""Are the 8-bit vectors the float32 ones? Asked at installation, over fixed sentences."""

from __future__ import annotations

import numpy as np

from overproof.models.encoders.runtime import Encoder
from overproof.models.encoders.store import Parity

LOWEST, MEAN = 0.90, 0.98
"""Limits on the cosine between a sentence's two vectors. Rounding costs MiniLM 0.012 on average and 0.04 on its
shortest text, and students half a point of accuracy at most; an encoder with a few numbers far larger than the rest,
which take the scale from all others, falls far below, and what is made of its vectors goes wrong."""

SENTENCES = (
    "I am still waiting for my new card.",
    "My new card has not arrived yet, what should I do?",
    "Why was I charged twice for the same order?",
    "There are two identical charges on my statement.",
    "How do I reset my password?",
    "Thanks!",
    "The quarterly report is due on Friday, but the figures from two regions are still missing.",
    "Ich warte noch immer auf meine neue Karte.",
    "Warum wurde mir dieselbe Bestellung doppelt berechnet?",
    "Wie kann ich mein Passwort zurücksetzen?",
    "Todavía estoy esperando mi tarjeta nueva.",
    "¿Por qué me cobraron dos veces el mismo pedido?",
    "J'attends toujours ma nouvelle carte.",
    "Comment réinitialiser mon mot de passe ?",
    "Estou à espera do meu cartão novo.",
    "Sto ancora aspettando la mia nuova carta.",
    "Ik wacht nog steeds op mijn nieuwe pas.",
    "Wciąż czekam na moją nową kartę.",
    "Yeni kartımı hâlâ bekliyorum.",  # noqa: RUF001 - Turkish
    "Я всё ещё жду свою новую карту.",
    "我还在等我的新卡。",
    "新しいカードをまだ待っています。",
    "새 카드를 아직 기다리고 있습니다.",
    "ما زلت أنتظر بطاقتي الجديدة.",
    "मैं अभी भी अपने नए कार्ड का इंतज़ार कर रहा हूँ।",
    "SELECT name FROM users WHERE created_at > '2024-01-01';",
    "order #48213-B, 2 x 19.90 EUR, paid 03/04",
    "",
)


def compare(exact: Encoder, small: Encoder) -> Parity:
    """Return how near the vectors of `small` are to those of `exact`, over `SENTENCES`."""
    one, other = exact.embed(SENTENCES), small.embed(SENTENCES)
    cosines = (one * other).sum(axis=1)
    nearest = [_nearest(rows) for rows in (one, other)]
    return Parity(
        lowest=float(cosines.min()), mean=float(cosines.mean()), agreement=float(np.mean(nearest[0] == nearest[1]))
    )


def holds(parity: Parity) -> bool:
    """Return whether 8 bits are near enough to be what is used."""
    return parity.lowest >= LOWEST and parity.mean >= MEAN


def _nearest(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    alike = rows @ rows.T
    np.fill_diagonal(alike, -np.inf)
    return alike.argmax(axis=1)  # type: ignore[no-any-return]  # numpy's stubs
