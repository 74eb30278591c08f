"""The order of stages and the disk: what is fresh is skipped, what is stale is made."""
