"""No Airflow DAG of its own: when a row of include/streams/ does not load, this file fails, so that the import-error banner names it.

The other streams keep their DAGs (streams.py).
"""

from include.airflow_kit.stream_dag import raise_broken

raise_broken()
