"""Writes a new stream: registry row, job, domain function and its first test. No existing file is edited or
overwritten."""
