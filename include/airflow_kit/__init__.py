"""What the DAGs are made of; with dags/ the only place that imports airflow."""
