"""Verbs to add a stream, test and measure."""
