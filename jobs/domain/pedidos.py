"""Orders and their payments, for joins: `pedido,tienda,momento` and `pedido,importe,momento`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructType, TimestampType

PEDIDOS = StructType().add("pedido", StringType()).add("tienda", StringType()).add("momento", TimestampType())
PAGOS = StructType().add("pedido", StringType()).add("importe", DoubleType()).add("momento", TimestampType())


def con_tienda(pedidos: DataFrame, tiendas: DataFrame) -> DataFrame:
    """PEDIDOS with the name of the shop (tienda, nombre); null if the table does not have the shop. No state
    is kept: the table is read for each batch."""
    return pedidos.join(tiendas, "tienda", "left")


def con_pago(
    pedidos: DataFrame, pagos: DataFrame, plazo: str = "1 hour", retraso: str = "30 minutes"
) -> DataFrame:
    """pedido, importe of payments at most `plazo` after their order. Both sides may come `retraso` late."""
    orders = pedidos.withWatermark("momento", retraso).alias("a")
    paid = pagos.withWatermark("momento", retraso).alias("b")
    in_time = F.expr(f"a.pedido = b.pedido AND b.momento BETWEEN a.momento AND a.momento + INTERVAL {plazo}")
    return orders.join(paid, in_time).select("a.pedido", "b.importe")
