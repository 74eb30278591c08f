"""One page that tells a run: the verdict first, then everything behind it."""
