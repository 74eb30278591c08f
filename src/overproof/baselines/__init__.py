"""Alternatives to distilling, tried first."""
