"""What is scored: one frozen dataclass for each suite, with its fields, checks and `score`."""
