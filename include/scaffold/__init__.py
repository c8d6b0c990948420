"""A new stream as files: registry row, job, domain function and its first test. Files are added, none is edited or overwritten."""
