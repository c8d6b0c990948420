"""Avro schemas, and the csv that Caudal writes."""
