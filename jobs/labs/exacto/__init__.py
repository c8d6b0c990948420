"""The four conditions of exactly-once, each broken once."""
