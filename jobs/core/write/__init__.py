"""Writes business rows and publishes them as a batch."""
