"""MongoDB como destino: `foreachBatch` con un upsert por clave.

El bizum más alto de cada persona es un documento con su nombre como `_id`. Cada lote se envía dos veces a
propósito: como sustituye por clave, los documentos son los mismos. Sin `--mongo`, el laboratorio pone un
MongoDB de pruebas, en memoria.
"""

from include.samples import bizums
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="sink_mongodb",
    title="destino MongoDB: upsert idempotente por clave",
    section="Sinks: MongoDB (opcional)",
    options=(
        Option("count", 60, "bizums", least=1, most=100_000),
        Option("seed", 1, "la misma semilla, los mismos bizums"),
        Option("mongo", "", "mongodb://… (vacía antes caudal.bizums); sin ella, uno de pruebas en memoria"),
    ),
    ivy=("mongo",),
    sample=lambda o: {
        "bizums.csv": "".join(f"{line}\n" for line in bizums.lines(int(o["count"]), int(o["seed"])))
    },
    reads=("jobs/labs/kit/mongo.py", "jobs/labs/temas/sink_mongodb.py"),
)
