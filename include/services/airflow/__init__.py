"""Airflow as services of this home, and its REST API."""
