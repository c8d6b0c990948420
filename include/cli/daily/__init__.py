"""Verbs to feed a stream, run it and look at it."""
