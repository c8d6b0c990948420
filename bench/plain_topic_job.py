"""The job to compare with, for a stream into a topic: Spark's own Kafka source and sink, as a newcomer writes
them."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

bootstrap, source, sink, checkpoint = sys.argv[1:]
spark = SparkSession.builder.appName("plain").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
broker = {"kafka.bootstrap.servers": bootstrap}
read = spark.readStream.format("kafka").options(**broker, subscribe=source, startingOffsets="earliest").load()
schema = "InvoiceNumber string, CustomerCardNo string, TotalAmount double"
invoice = read.select("key", F.from_json(F.col("value").cast("string"), schema).alias("v")).select(
    "key", "v.*"
)
row = F.struct("CustomerCardNo", "TotalAmount", (F.col("TotalAmount") * 0.2).alias("EarnedLoyaltyPoints"))
out = invoice.select("key", F.to_json(row).alias("value"))
query = (
    out.writeStream.format("kafka")
    .options(**broker, topic=sink, checkpointLocation=checkpoint)
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
