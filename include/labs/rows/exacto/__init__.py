"""The four conditions of exactly-once."""
