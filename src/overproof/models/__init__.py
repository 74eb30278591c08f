"""Anything that answers over a wire: endpoints, caches, fakes, prices."""
