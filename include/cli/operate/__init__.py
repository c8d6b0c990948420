"""Verbs that recount, move and repair."""
