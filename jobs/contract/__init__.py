"""What both sides of spark-submit agree on. It uses only the standard library, because it runs in the
launcher, in Airflow and in the Spark driver."""
