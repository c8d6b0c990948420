"""DStream, la primera generación: qué era, y si sigue en esta versión de Spark.

Contar palabras por intervalos con RDD. Está en desuso desde Spark 3.4: no tiene tiempo de evento, ni
exactly-once con el destino, ni optimizador. El laboratorio lo ejecuta si Spark todavía lo trae, junto a lo
mismo con Structured Streaming.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="dstream",
    title="DStream: lo que era, al lado de Structured Streaming",
    section="Streaming en Spark: DStream",
    reads=("jobs/labs/temas/dstream.py",),
)
