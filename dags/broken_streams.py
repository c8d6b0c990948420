"""No DAG: if a row of include/streams/ does not load, this file fails, and the import error names it.

The other streams keep their DAGs (streams.py). **When the import error is there**: correct the row that it
names. The error is gone when Airflow has parsed the file again.
"""

from include.airflow_kit.stream_dag import raise_broken

raise_broken()
