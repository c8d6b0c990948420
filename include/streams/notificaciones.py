"""Invoices from the topic `facturas`, loyalty points to the topic `notificaciones` (course: Caso 4).

**Source** topic `facturas`, from its earliest record. **Sink** topic `notificaciones`: key InvoiceNumber, value CustomerCardNo,
TotalAmount, EarnedLoyaltyPoints (= TotalAmount * 0.2). **Guarantee** exactly once for readers of committed records
(`isolation.level=read_committed`, as `./caudal consume` reads): each invoice gives one message, also when a run dies in the middle.

**When it is red** the last line of the log names the error and what to do; running it again is always safe.
"""

from jobs.contract.stream import Checks, Stream, Topic

STREAM = Stream(
    name="notificaciones",
    source=Topic("facturas"),
    sink=Topic("notificaciones", key="InvoiceNumber"),
    checks=Checks(report=("items-count",)),
    tags=("facturas", "caso-4"),
)
