"""Every five minutes: reads bizums from csv files, and publishes each with one name per person (actividad 4).

- **Source**: csv files `Nombre;Cantidad;Concepto` without a header, in `entrada/bizums`.
- **Sink**: JSON files under `salida/bizums`, with Persona (lower case, no accents), Nombre, Cantidad,
  Concepto.
- **Guarantee**: exactly once. A batch appears whole, under its own number, or not at all.
- **Refused** to `cuarentena/bizums/registros`: another number of fields, no name, no valid amount.

`./caudal sample bizums` delivers sample files. `./caudal lab actividad4_bizums` shows the highest bizum of
each person while they arrive.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Files, Stream

STREAM = Stream(
    name="bizums",
    source=Files("csv", separator=";", header=False),
    sink=Files("json"),
    tags=("bizums", "actividad-4"),
)
