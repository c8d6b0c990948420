"""The job to compare with: Caso 2 as a newcomer writes it, with Spark's defaults. It has Spark's JSON source
and sink, checks nothing, and publishes no batch as a whole."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

source, sink, checkpoint = sys.argv[1:]
spark = (
    SparkSession.builder.appName("plain").config("spark.sql.streaming.schemaInference", "true").getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
head = ["InvoiceNumber", "CreatedTime", "StoreID", "PosID", "CustomerType", "PaymentMethod", "DeliveryType"]
address = [f"DeliveryAddress.{name}" for name in ("City", "State", "PinCode")]
lines = spark.readStream.json(source).select(*head, *address, F.explode("InvoiceLineItems").alias("line"))
rows = lines.select(*head, "City", "State", "PinCode", "line.*")
query = (
    rows.writeStream.format("json")
    .option("path", sink)
    .option("checkpointLocation", checkpoint)
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
