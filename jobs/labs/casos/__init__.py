"""The course's cases."""
