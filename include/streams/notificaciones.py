"""Every five minutes: reads invoices from a topic, and sends loyalty points to another topic (Caso 4).

- **Source**: the topic `facturas`, from its earliest record.
- **Sink**: the topic `notificaciones`, with key InvoiceNumber, and value CustomerCardNo, TotalAmount,
  EarnedLoyaltyPoints (= TotalAmount * 0.2).
- **Guarantee**: exactly once for read_committed consumers (`isolation.level=read_committed`, as
  `./caudal consume` sets it). Each invoice gives one message, even if a run dies halfway.
- **Refused** to `cuarentena/notificaciones/registros`: a malformed record, an invoice without number or lines.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.
"""

from jobs.contract.stream import Checks, Stream, Topic

STREAM = Stream(
    name="notificaciones",
    source=Topic("facturas"),
    sink=Topic("notificaciones", key="InvoiceNumber"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-4"),
)
