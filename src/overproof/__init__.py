"""From an expensive LLM's production logs to a small model that serves that traffic safely, with proof.

Everything the command line does is one call away: `discover(logs)`, `init(...)`, `plan(path)`, `run(path)`,
`write_report(...)`, `status(...)`, `forget(...)`; `encoders.add(name)`, `encoders.remove(name)` and `encoders.check()`
are what `overproof models` does; `prompt_sets.versions(path)`, `.diff`, `.sample`, `.show` and `.export` what
`overproof prompts` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
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

if TYPE_CHECKING:
    from overproof.pipeline import encoders, prompt_sets
    from overproof.pipeline.discover import discover
    from overproof.pipeline.forget import forget
    from overproof.pipeline.init import init
    from overproof.pipeline.plan import plan
    from overproof.pipeline.run import run
    from overproof.pipeline.status import status
    from overproof.pipeline.tell import report as write_report

_HOMES = {
    "discover": "discover:discover",
    "forget": "forget:forget",
    "init": "init:init",
    "plan": "plan:plan",
    "run": "run:run",
    "status": "status:status",
    "write_report": "tell:report",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module holds anything
    """Import what is asked for when it is asked for: `import overproof` itself costs nothing."""
    import importlib

    if name in ("encoders", "prompt_sets"):
        return importlib.import_module(f"overproof.pipeline.{name}")
    if name in _HOMES:
        module, _, function = _HOMES[name].partition(":")
        return getattr(importlib.import_module(f"overproof.pipeline.{module}"), function)
    raise AttributeError(f"module 'overproof' has no attribute {name!r}")
