"""What both sides of spark-submit agree on. Standard library only: it runs in the launcher, in Airflow and in
the Spark driver."""
