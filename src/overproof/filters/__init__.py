"""Sift the teacher's answers: what a student may learn from, and what it must not, with the reason."""
