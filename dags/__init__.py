"""Wiring only: each file here takes its parts from include and holds no logic of its own."""
