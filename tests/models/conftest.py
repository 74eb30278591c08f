"""Asks and options that the tests of models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overproof.core.protocols import Ask
from overproof.core.types import EndpointOptions, Message


@pytest.fixture
def question() -> Callable[..., Ask]:
    def make(text: str = "what is it?", **more: Any) -> Ask:  # noqa: ANN401 - an ask's own fields
        return Ask(messages=(Message(role="user", content=text),), **more)

    return make


@pytest.fixture
def options() -> Callable[..., EndpointOptions]:
    def make(**more: Any) -> EndpointOptions:  # noqa: ANN401 - the record's own fields
        fields: dict[str, Any] = {"model": "fake", "base_url": "http://models.test/v1", "attempts": 4}
        return EndpointOptions(**(fields | more))

    return make
