"""Invoice files in, one document per invoice line out (course: Caso 2).

**Source** JSON files, one invoice a line, in `entrada/facturas_ficheros`. **Sink** JSON under `salida/facturas_ficheros`.
**Guarantee** exactly once: a batch appears whole, under its own number, or not at all.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Checks, Files, Stream

STREAM = Stream(
    name="facturas_ficheros",
    source=Files("json"),
    sink=Files("json"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-2"),
)
