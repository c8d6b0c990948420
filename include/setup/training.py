"""The run that fills the class-data cache: `spark-submit … training.py FOLDER`, started by
include/setup/class_data.py.

It does on a small scale what a scheduled run does, so that the JVM loads the classes to be stored: a text
stream is read by Caudal's strict reader, exploded, observed, written by foreachBatch as json and parquet, and
read back. Kafka's source and sink are loaded without a broker.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StructType

SCHEMA = (
    "InvoiceNumber STRING, TotalAmount DOUBLE, DeliveryAddress STRUCT<City: STRING>, "
    "Items ARRAY<STRUCT<Code: STRING, Qty: INT>>"
)
CLOSED_PORT = "127.0.0.1:1"  # nothing listens there: the clients are built, but never connect


def lines(first: int) -> str:
    """100 invoices, one per line; the last one is malformed."""
    rest = {"DeliveryAddress": {"City": "Murcia"}, "Items": [{"Code": "a", "Qty": 2}]}
    good = [{"InvoiceNumber": str(n), "TotalAmount": n / 4, **rest} for n in range(first, first + 99)]
    return "\n".join([*map(json.dumps, good), "{"]) + "\n"


def read(spark: SparkSession, text: DataFrame) -> DataFrame:
    """The lines' rows, read as by jobs/core/read/strict.py."""
    caudal: Any = spark.sparkContext._jvm.caudal
    form = caudal.Form("UTC", ".", "", "")
    caudal.Functions.put(
        "training", caudal.StrictJson(StructType.fromDDL(SCHEMA).json(), 1 << 20, "BLANK", form)
    )
    spark.conf.set("spark.sql.catalog.caudal", "caudal.Functions")
    parsed = text.select(f.col("value").cast("binary").alias("_raw"), f.input_file_name().alias("file"))
    return (
        parsed.withColumn("_read", f.call_function("caudal.training", "_raw"))
        .where("_read.verdict >= 0")
        .select("_read.record.*")
    )


def publish(folder: Path, frame: DataFrame, batch: int) -> None:
    observation = Observation()
    observed = frame.observe(
        observation, f.count(f.lit(1)).alias("rows"), f.sum("TotalAmount").alias("total")
    )
    observed.write.mode("errorifexists").json(f"{folder}/out/json-{batch}")
    frame.write.mode("errorifexists").parquet(f"{folder}/out/parquet-{batch}")
    if observation.get["rows"] < 99:
        raise SystemExit(f"training: batch {batch} has {observation.get['rows']} rows, 99 or more expected")


def stream(spark: SparkSession, folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(2):
        (folder / "in" / f"{number}.json").write_text(lines(number * 100))
    text = spark.readStream.option("maxFilesPerTrigger", 1).option("wholetext", "false").text(f"{folder}/in")
    rows = read(spark, text).select("*", f.explode("Items").alias("item")).drop("Items")
    city = f.coalesce("DeliveryAddress.City", f.lit("")).alias("City")
    flat = rows.select(
        "InvoiceNumber", "TotalAmount", "item.Code", f.expr("TotalAmount * item.Qty").alias("Total"), city
    )
    query = flat.writeStream.foreachBatch(lambda df, n: publish(folder, df, n))
    query.option("checkpointLocation", f"{folder}/checkpoint").trigger(
        availableNow=True
    ).start().awaitTermination()


def read_back(spark: SparkSession, folder: Path) -> None:
    written = spark.read.json(f"{folder}/out/json-*").groupBy("City").agg(f.sum("Total")).collect()
    spark.read.parquet(f"{folder}/out/parquet-*").select(f.to_json(f.struct("*")).cast("binary")).limit(
        3
    ).collect()
    if len(written) != 1:
        raise SystemExit(f"training: {written} instead of one city")


def kafka(spark: SparkSession, jars: list[str]) -> None:
    """Loads Spark's Kafka classes and builds the three clients."""
    jvm: Any = spark.sparkContext._jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    for jar in jars:
        for name in zipfile.ZipFile(jar).namelist():
            if name.endswith(".class") and "kafka010" in name:
                jvm.java.lang.Class.forName(name.removesuffix(".class").replace("/", "."), False, loader)
    options = {"kafka.bootstrap.servers": CLOSED_PORT, "subscribe": "facturas"}
    assert spark.readStream.format("kafka").options(**options).load().isStreaming  # noqa: S101 - loads classes
    byte = "org.apache.kafka.common.serialization.ByteArray"
    broker, clients = {"bootstrap.servers": CLOSED_PORT}, jvm.org.apache.kafka.clients
    reader = (
        broker
        | {"group.id": "training"}
        | {f"{part}.deserializer": f"{byte}Deserializer" for part in ("key", "value")}
    )
    writer = broker | {f"{part}.serializer": f"{byte}Serializer" for part in ("key", "value")}
    clients.consumer.KafkaConsumer(jvm.java.util.HashMap(reader)).close()
    clients.producer.KafkaProducer(jvm.java.util.HashMap(writer)).close()
    clients.admin.AdminClient.create(jvm.java.util.HashMap(broker)).close()


def main(folder: Path, jars: list[str]) -> None:
    spark = SparkSession.builder.appName("class-data training").getOrCreate()
    stream(spark, folder)
    read_back(spark, folder)
    kafka(spark, jars)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
