"""Every five minutes: reads invoices from JSON files, and publishes one document per invoice line (Caso 2).

- **Source**: JSON files with one invoice per line, in `entrada/facturas_ficheros`.
- **Sink**: JSON files under `salida/facturas_ficheros`.
- **Guarantee**: exactly once. A batch appears whole, under its own number, or not at all.
- **Refused** to `cuarentena/facturas_ficheros/registros`: a malformed record, an invoice without number or lines.

`./caudal sample facturas_ficheros` delivers sample files.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Checks, Files, Stream

STREAM = Stream(
    name="facturas_ficheros",
    source=Files("json"),
    sink=Files("json"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-2"),
)
