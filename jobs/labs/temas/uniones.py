"""Joins: stream with table, stream with stream."""

from __future__ import annotations

from jobs.domain import pedidos
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.kit.files import deliver
from jobs.labs.kit.lab import Facts, Lab

TIENDAS = (("T1", "Elche"), ("T2", "Alicante"))
PEDIDOS = (
    "p1,T1,2026-11-01T10:00:00Z",
    "p2,T2,2026-11-01T10:05:00Z",
    "p3,T9,2026-11-01T10:10:00Z",
    "p4,T1,2026-11-01T10:15:00Z",
)
PAGOS = (
    "p1,10.5,2026-11-01T10:20:00Z",
    "p2,7,2026-11-01T11:04:00Z",
    "p3,3,2026-11-01T11:40:00Z",
    "p9,1,2026-11-01T10:30:00Z",
)


def run(lab: Lab) -> Facts:
    """Facts: shops (order -> name of its shop, or None), paid (order -> amount)."""
    deliver(lab, "p.csv", PEDIDOS, "pedidos")
    deliver(lab, "q.csv", PAGOS, "pagos")
    orders, payments = Folder("pedidos", "csv"), Folder("pagos", "csv")
    shops: dict[str, str | None] = {}
    paid: dict[str, float] = {}
    table = lab.spark.createDataFrame(TIENDAS, "tienda string, nombre string")
    with lab.settings(spark__sql__shuffle__partitions=2):
        named = pedidos.con_tienda(lab.read(orders, pedidos.PEDIDOS), table)
        joined = pedidos.con_pago(lab.read(orders, pedidos.PEDIDOS), lab.read(payments, pedidos.PAGOS))
        one = lab.start(
            named,
            Pipeline(orders, ForeachBatch()),
            "tiendas",
            each=lambda f, _: shops.update((r.pedido, r.nombre) for r in f.collect()),
        )
        two = lab.start(
            joined,
            Pipeline(orders, ForeachBatch()),
            "pagos",
            each=lambda f, _: paid.update((r.pedido, r.importe) for r in f.collect()),
        )
        lab.follow(one, two)
    lab.say("flujo con tabla: cada pedido y el nombre de su tienda")
    lab.table(
        ("pedido", "tienda"),
        sorted((order, name or "(no está en la tabla)") for order, name in shops.items()),
    )
    lab.say("flujo con flujo: pagos dentro de la hora siguiente a su pedido")
    lab.table(("pedido", "importe"), sorted(paid.items()))
    lab.say("p3 pagó a los 90 minutos y p9 no tiene pedido: no casan")
    return {"shops": shops, "paid": paid}
