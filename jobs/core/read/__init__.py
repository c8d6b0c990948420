"""Reads a source; each record becomes a typed row, or gets a reason why not."""
