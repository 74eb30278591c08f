"""Read any team's logs: exchanges that can be used, and every row that cannot, with its reason."""
