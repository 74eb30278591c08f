"""What an answer means and how right it is."""
