"""Bizums from files, `Nombre;Cantidad;Concepto` (course: actividad 4), published with one name for each person.

**Source** csv files without a header, separator `;`, in `entrada/bizums`. **Sink** JSON under `salida/bizums`: Persona (lower case, no
accents), Nombre, Cantidad, Concepto. **Guarantee** exactly once: a batch appears whole, under its own number, or not at all.
**Refused** into `cuarentena/bizums/registros`: other numbers of fields, an amount that is none, no name.

`./caudal sample bizums` puts some there. `./caudal lab actividad4_bizums` shows the highest of each person as they come.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Files, Stream

STREAM = Stream(
    name="bizums",
    source=Files("csv", separator=";", header=False),
    sink=Files("json"),
    tags=("bizums", "actividad-4"),
)
