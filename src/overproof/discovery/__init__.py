"""Which tasks are in mixed logs, what they cost, and which could be distilled."""
