"""When may a candidate answer? A threshold with a proof, from evidence of its own."""
