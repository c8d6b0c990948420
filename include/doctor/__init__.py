"""Finds out what is wrong with this installation, machine, home and its streams. Read-only."""
