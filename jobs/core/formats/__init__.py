"""Avro and csv, for sources and sinks."""
