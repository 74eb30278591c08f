from __future__ import annotations

import re
import unicodedata

import polars as pl

from overproof.core import scripts
from overproof.models import embed
from overproof.prompts import units
from overproof.students import text

LETTERS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Lo"]
CUT = set(filter(re.compile(f"[{scripts.UNSPACED}]").match, LETTERS))


def test_what_is_cut_by_its_place_is_cut_by_its_scripts_name() -> None:
    """Python's ranges and Polars' names are two spellings of one list."""
    assert pl.Series(sorted(CUT)).str.contains(units.UNSPACED).all()


def test_the_everyday_letters_of_each_named_script_are_in_the_ranges() -> None:
    column = pl.Series(LETTERS)
    for name in scripts.NAMES:
        of_it = column.filter(column.str.contains(rf"\p{{{name}}}")).to_list()

        assert len(CUT & set(of_it)) >= 40, name


def test_students_embedders_and_units_cut_the_same_text_into_the_same_characters() -> None:
    for said in ("東京タワー", "ราคา", "ລາຄາ", "ဈေး", "តម្លៃ", "価格"):
        characters = [c for c in unicodedata.normalize("NFKC", said) if c in CUT]

        assert [word for word in text.words(said) if word in CUT] == characters
        assert embed._runs(said) == ["".join(embed._runs(said))]  # one run without a space
        spaced = pl.Series([said]).str.replace_all(f"({units.UNSPACED})", " $1 ")[0].split()
        assert [word for word in spaced if word in CUT] == characters
