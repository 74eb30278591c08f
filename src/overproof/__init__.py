"""From an expensive LLM's production logs to a small model that serves that traffic safely, with proof."""

__version__ = "0.1.0"
