"""Verbs to install, start, stop and check."""
