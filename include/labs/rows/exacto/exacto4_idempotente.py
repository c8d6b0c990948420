"""Condición 4 de exactly-once: un destino idempotente.

`foreachBatch` escribe y se cae antes del commit; Spark repite el lote. Si se añade sin más, las filas quedan
dos veces. Si cada lote tiene su carpeta, con su número, la segunda vez la sustituye. Caudal publica así, y
con un solo cambio de nombre.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="exacto4_idempotente",
    title="exactly-once, condición 4: un destino idempotente; añadir sin más repite el lote",
    section="Tolerancia a fallos, condición 4",
    reads=("jobs/labs/exacto/exacto4_idempotente.py", "jobs/core/write/publish.py"),
)
