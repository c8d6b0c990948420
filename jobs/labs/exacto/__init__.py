"""The four conditions of exactly-once, each broken in one lab."""
