"""Paths, durable changes on disk, locks, SQLite and the intake ledger."""
