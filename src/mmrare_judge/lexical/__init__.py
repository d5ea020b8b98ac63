"""What can be read from the words of a text alone: pure functions, no model."""
