"""Leer de Kafka: qué topics, desde dónde y en qué formato.

El mismo topic leído desde el principio, desde el final, desde un offset y desde un momento; varios topics por
su nombre o por un patrón; y las mismas filas escritas como JSON, CSV y Avro. `latest` con `availableNow` no
lee nada: el final es ahora.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="fuentes_kafka",
    title="Kafka: subscribe y patrón; earliest, latest, offsets y timestamp; json, csv y avro",
    section="Fuentes de Datos: Kafka",
    broker=True,
    reads=("jobs/labs/kit/sources.py", "jobs/core/formats/avro.py"),
)
