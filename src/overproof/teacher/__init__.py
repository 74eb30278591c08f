"""Get the teacher's answers: reuse what was logged, ask for the rest within the budget."""
