"""The building blocks of the DAGs. With dags/, the only place that imports airflow."""
