"""One DAG for each stream registered in include/streams/, on the schedule of its row.

If a row does not load, its stream has no DAG, and broken_streams.py names it.
"""

from include import streams
from include.airflow_kit import stream_dag

_streams, _ = streams.collect()  # the broken ones are named by broken_streams.py
_schedules = stream_dag.schedules(_streams)
for _stream in _streams.values():
    globals()[_stream.name] = stream_dag.build(_stream, _schedules[_stream.name])
