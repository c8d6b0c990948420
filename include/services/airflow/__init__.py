"""Airflow as services of this home, and a client of its REST API."""
