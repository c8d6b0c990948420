"""One run: its spec, its report, and the account of its batches."""
