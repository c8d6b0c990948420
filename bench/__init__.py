"""Measurements on this machine: Caudal beside the job that a newcomer writes."""
