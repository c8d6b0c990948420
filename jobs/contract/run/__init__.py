"""One run: its spec, its report, its account."""
