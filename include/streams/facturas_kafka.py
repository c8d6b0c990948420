"""Every five minutes: reads invoices from a topic, and publishes one document per invoice line (Caso 3).

- **Source**: the topic `facturas`, from its earliest record.
- **Sink**: JSON files under `salida/facturas_kafka`.
- **Guarantee**: exactly once. A batch appears whole, under its own number, or not at all.
- **Refused** to `cuarentena/facturas_kafka/registros`: a malformed record, an invoice without number or lines.

`./caudal sample facturas_kafka` sends sample messages.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Checks, Files, Stream, Topic

STREAM = Stream(
    name="facturas_kafka",
    source=Topic("facturas"),
    sink=Files("json"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-3"),
)
