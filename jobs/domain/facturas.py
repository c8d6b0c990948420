"""Invoices: the schema of a document, its rules, and the two results made of it (course: Casos 2 to 4).

All columns are nullable, as the course's schema inference finds them. `DeliveryAddress` is missing for
TAKEAWAY.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, LongType, StringType, StructType

from jobs.domain.positions import kept

ADDRESS = (
    StructType()
    .add("AddressLine", StringType())
    .add("City", StringType())
    .add("State", StringType())
    .add("PinCode", StringType())
    .add("ContactNumber", StringType())
)
LINE_ITEM = (
    StructType()
    .add("ItemCode", StringType())
    .add("ItemDescription", StringType())
    .add("ItemPrice", DoubleType())
    .add("ItemQty", LongType())
    .add("TotalValue", DoubleType())
)
SCHEMA = (
    StructType()
    .add("InvoiceNumber", StringType())
    .add("CreatedTime", LongType())  # ms since 1970, UTC
    .add("StoreID", StringType())
    .add("PosID", StringType())
    .add("CashierID", StringType())
    .add("CustomerType", StringType())
    .add("CustomerCardNo", StringType())
    .add("TotalAmount", DoubleType())
    .add("NumberOfItems", LongType())
    .add("PaymentMethod", StringType())
    .add("TaxableAmount", DoubleType())
    .add("CGST", DoubleType())
    .add("SGST", DoubleType())
    .add("CESS", DoubleType())
    .add("DeliveryType", StringType())
    .add("DeliveryAddress", ADDRESS)
    .add("InvoiceLineItems", ArrayType(LINE_ITEM, containsNull=False))
)

# Code -> SQL condition over SCHEMA's columns; never null, TRUE for a record that breaks the rule. Without a
# number, an invoice cannot be identified; without lines, it would vanish in explode. A wrong count occurs in
# real invoices, so the registry's rows only report it.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "no-invoice-number": "InvoiceNumber IS NULL",
        "no-line-items": "InvoiceLineItems IS NULL OR size(InvoiceLineItems) = 0",
        "items-count": (
            "coalesce(NumberOfItems <> size(InvoiceLineItems) AND size(InvoiceLineItems) > 0, false)"
        ),
    }
)

_BEFORE_ADDRESS = (
    "InvoiceNumber",
    "CreatedTime",
    "StoreID",
    "PosID",
    "CustomerType",
    "PaymentMethod",
    "DeliveryType",
)
POINTS_PER_UNIT = 0.2  # loyalty points per unit of TotalAmount, as a double


def lineas(facturas: DataFrame) -> DataFrame:
    """SCHEMA -> one row per invoice line: 7 columns of the invoice; City, State, PinCode (null for TAKEAWAY);
    5 columns of the line.

    An invoice without lines would give no row, but RULES refuses it before. A null line gives a row whose
    line columns are null.
    """
    address = [f"DeliveryAddress.{name}" for name in ("City", "State", "PinCode")]
    # Exploding the bare column makes Spark infer `size(column) > 0` and push it below from_json: each
    # document is parsed 3 times.
    items = F.coalesce("InvoiceLineItems", F.array())
    exploded = facturas.select(*_BEFORE_ADDRESS, *address, F.explode(items).alias("LineItem"))
    return exploded.select(*_BEFORE_ADDRESS, "City", "State", "PinCode", "LineItem.*")


def notificaciones(facturas: DataFrame) -> DataFrame:
    """SCHEMA -> one row per invoice: InvoiceNumber, CustomerCardNo, TotalAmount, EarnedLoyaltyPoints (a
    double, not rounded), its position."""
    points = (F.col("TotalAmount") * F.lit(POINTS_PER_UNIT)).alias("EarnedLoyaltyPoints")
    return facturas.select("InvoiceNumber", "CustomerCardNo", "TotalAmount", points, *kept(facturas))
