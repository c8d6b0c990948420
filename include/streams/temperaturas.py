"""Every five minutes: reads sensor readings from a topic, and publishes them as Parquet files (IoT).

- **Source**: the topic `temperaturas`. A record looks like
  `{"sensor": "s1", "temperatura": 21.5, "momento": "2026-11-25T10:00:00Z"}`.
- **Sink**: Parquet files under `salida/temperaturas`. `temperaturas_ventanas` and `temperaturas_maxima` read
  them.
- **Guarantee**: exactly once. A batch appears whole, under its own number, or not at all.
- **Refused** to `cuarentena/temperaturas/registros`: a malformed record, and a reading dated more than ten
  minutes after its record's time, because it would move the watermark, and all later readings would be
  dropped.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Checks, EventTime, Files, Stream, Topic

STREAM = Stream(
    name="temperaturas",
    source=Topic("temperaturas"),
    sink=Files("parquet"),  # keeps microseconds, which JSON would cut
    checks=Checks(event_time=EventTime("momento", "timestamp", future_s=600)),
    tags=("temperaturas", "iot"),
)
