"""Every five minutes: publishes the highest bizum of each person for each finished day (actividad 4).

- **Source**: what `bizums_fechados` has published.
- **Sink**: JSON files under `salida/bizums_por_dia`, with Dia (UTC), Persona, Maximo.
- **Guarantee**: each day exactly once, when the latest bizum is 6 hours after the end of the day. A bizum
  that comes later is dropped, and the report counts it as `dropped_late`.

`./caudal run bizums_por_dia --close-windows` publishes the open days at once. Later bizums of these days are
late.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.

After a reset or a rewind of `bizums_fechados`, it refuses to run until you reset it, too.
"""

from jobs.contract.stream import Files, Published, Stream

STREAM = Stream(
    name="bizums_por_dia",
    source=Published("bizums_fechados"),
    sink=Files("json"),
    stateful=True,
    tags=("bizums_fechados", "actividad-4"),
)
