"""Verbs of the course."""
