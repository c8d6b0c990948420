"""One Airflow DAG for each stream registered in include/streams/. A row that does not load is named by broken_streams.py."""

from include import streams
from include.airflow_kit import stream_dag

_found, _ = streams.collect()
_schedules = stream_dag.schedules(_found)
for _stream in _found.values():
    globals()[_stream.name] = stream_dag.build(_stream, _schedules[_stream.name])
