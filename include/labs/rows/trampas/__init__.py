"""The course's traps."""
