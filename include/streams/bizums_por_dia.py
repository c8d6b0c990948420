"""The highest bizum of each person and day (course: actividad 4, the optional part).

**Source** what `bizums_fechados` has published. **Sink** JSON under `salida/bizums_por_dia`: Dia (UTC), Persona, Maximo. **Guarantee** each day
exactly once, when the latest bizum is 6 hours past its end; one that comes later is dropped, and counted in the report as `dropped_late`.
`./caudal run bizums_por_dia --close-windows` publishes the open days at once; later bizums of theirs are late.

**When it is red** the last line of the log names the error and what to do; running it again is always safe. After a reset or a rewind of
`bizums_fechados` it refuses to run until it is reset, too.
"""

from jobs.contract.stream import Files, Published, Stream

STREAM = Stream(
    name="bizums_por_dia",
    source=Published("bizums_fechados"),
    sink=Files("json"),
    stateful=True,
    tags=("bizums_fechados", "actividad-4"),
)
