"""Wiring only: each file here takes its parts from include/ and has no logic of its own."""
