"""Decide what ships, and write it down so that it can be served."""
