"""Scripts that are written without spaces: there each character counts as a word. And what else is no plain letter.

By name for engines that know scripts (Polars'), as characters of a class for Python's `re`, which knows none; there
what is rare is left out (some extensions, iteration marks). All of it decides what is trained, dealt and released: a
changed character changes results.
"""

from __future__ import annotations

NAMES = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")

SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese and Khmer, their vowel signs included."""
EAST_ASIAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Kana and Han."""
UNSPACED = SOUTH_EAST_ASIAN + EAST_ASIAN

EMOJI = "\u2600-\u27bf\U0001f300-\U0001faff"
INDIC = "\u0900-\u0dff"
"""Scripts with spaces whose vowel signs Python's `\\w` leaves out."""
MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670"
"""Combining accents, and the vowel points that Hebrew and Arabic readers leave out."""
