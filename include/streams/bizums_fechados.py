"""Every five minutes: reads dated bizums from csv files, and publishes them for bizums_por_dia (actividad 4).

- **Source**: csv files `Nombre;Cantidad;Concepto;Fecha` without a header, in `entrada/bizums_fechados`. A
  date looks like `2026-11-25T10:00:00Z`.
- **Sink**: Parquet files under `salida/bizums_fechados`. `bizums_por_dia` reads them.
- **Guarantee**: exactly once. A batch appears whole, under its own number, or not at all.
- **Refused** to `cuarentena/bizums_fechados/registros`: what `bizums` refuses, no date, and a date more than
  ten minutes after the file's arrival, because it would close days that are not over.

`./caudal sample bizums_fechados` delivers sample files.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Checks, EventTime, Files, Stream

STREAM = Stream(
    name="bizums_fechados",
    source=Files("csv", separator=";", header=False),
    sink=Files("parquet"),  # keeps the time as a time
    checks=Checks(event_time=EventTime("Fecha", "timestamp", future_s=600)),
    tags=("bizums_fechados", "actividad-4"),
)
