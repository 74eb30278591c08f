"""The maths behind every decision: pure functions on numbers, no I/O."""
