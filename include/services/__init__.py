"""Background services of one home: the embedded broker and Airflow, watched by one small supervisor, reachable from this machine alone."""
