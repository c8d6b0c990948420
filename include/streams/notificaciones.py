"""Invoices from the topic `facturas`, loyalty points to the topic `notificaciones` (course: Caso 4).

**Source** topic `facturas`, from its earliest record. **Sink** topic `notificaciones`: key InvoiceNumber, value CustomerCardNo,
TotalAmount, EarnedLoyaltyPoints (= TotalAmount * 0.2). **Guarantee** at least once: Spark's own Kafka sink sends a batch again when a
run dies between sending and its manifest.

**When it is red** the last line of the log names the error and what to do; running it again never loses a message.
"""

from jobs.contract.stream import Checks, Stream, Topic

STREAM = Stream(
    name="notificaciones",
    source=Topic("facturas"),
    sink=Topic("notificaciones", key="InvoiceNumber"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-4"),
)
