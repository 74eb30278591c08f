"""Small models that learn from the teacher's accepted answers."""
