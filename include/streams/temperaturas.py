"""Temperature readings from the topic `temperaturas`, strictly read (course: IoT).

**Source** topic `temperaturas`: `{"sensor": "s1", "temperatura": 21.5, "momento": "2026-11-25T10:00:00Z"}`. **Sink** Parquet under
`salida/temperaturas`; `temperaturas_ventanas` and `temperaturas_maxima` read it. **Guarantee** exactly once. A reading dated more than ten
minutes ahead of its record's time goes to quarantine: it would move the watermark, and every later reading would be dropped.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Checks, EventTime, Files, Stream, Topic

STREAM = Stream(
    name="temperaturas",
    source=Topic("temperaturas"),
    sink=Files("parquet"),  # keeps microseconds, which JSON would cut
    checks=Checks(event_time=EventTime("momento", "timestamp", future_s=600)),
    tags=("temperaturas", "iot"),
)
