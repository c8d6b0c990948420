"""Everyday faults, done alike to a plain Spark job and to Caudal."""
