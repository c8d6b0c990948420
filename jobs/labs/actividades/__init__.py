"""The course's activities, 1 to 4."""
