"""The public names are exactly these."""

from __future__ import annotations

import overproof


def test_the_public_names_are_these() -> None:
    assert sorted(overproof.__all__) == [
        "__version__",
        "discover",
        "encoders",
        "forget",
        "init",
        "plan",
        "prompt_sets",
        "run",
        "status",
        "write_report",
    ]


def test_every_public_name_is_there() -> None:
    for name in overproof.__all__:
        assert getattr(overproof, name) is not None


def test_everything_the_command_line_does_is_one_call_away() -> None:
    from overproof.cli.app import main

    assert set(main.commands) - {"demo", "schema", "models", "prompts", "report"} <= set(overproof.__all__)
    assert callable(overproof.write_report)
    assert all(callable(getattr(overproof.encoders, name)) for name in ("add", "remove", "check"))
    assert all(
        callable(getattr(overproof.prompt_sets, name)) for name in ("versions", "diff", "sample", "show", "export")
    )
