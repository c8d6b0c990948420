"""Bizums with the day they were sent, `Nombre;Cantidad;Concepto;Fecha` (course: actividad 4, the optional part), one name for each person.

**Source** csv files without a header, separator `;`, in `entrada/bizums_fechados`; the date as `2026-11-25T10:00:00Z`. **Sink** Parquet under
`salida/bizums_fechados`; `bizums_por_dia` reads it. **Guarantee** exactly once. **Refused** into `cuarentena/bizums_fechados/registros`: what
`bizums` refuses, no date, and a date more than ten minutes ahead of the file's arrival: it would close days that are not over.

`./caudal sample bizums_fechados` puts some there.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Checks, EventTime, Files, Stream

STREAM = Stream(
    name="bizums_fechados",
    source=Files("csv", separator=";", header=False),
    sink=Files("parquet"),  # keeps the time as a time
    checks=Checks(event_time=EventTime("Fecha", "timestamp", future_s=600)),
    tags=("bizums_fechados", "actividad-4"),
)
