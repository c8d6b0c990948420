"""Measurements on this machine: Caudal beside the jobs that a newcomer writes, plain_job and
plain_topic_job."""
