"""Invoices from the topic `facturas`, one document per invoice line out (course: Caso 3).

**Source** topic `facturas`, from its earliest record. **Sink** JSON under `salida/facturas_kafka`.
**Guarantee** exactly once: a batch appears whole, under its own number, or not at all.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Checks, Files, Stream, Topic

STREAM = Stream(
    name="facturas_kafka",
    source=Topic("facturas"),
    sink=Files("json"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-3"),
)
