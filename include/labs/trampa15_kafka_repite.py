"""Kill -9 entre el envío a Kafka y el commit.

El destino Kafka de Spark es «al menos una vez»: el lote se envía otra vez. Caudal envía en transacciones con su posición dentro.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa15_kafka_repite",
    title="trampa 15: kill -9 entre el envío a Kafka y el commit",
    section="Trampas",
    fault="killed_before_commit",
    reads=("docs/reliability.md",),
)
