"""Everyday faults, each really done to the plain job (bench/plain_job.py) and to Caudal by the same steps: what is lost, stuck or there twice."""
