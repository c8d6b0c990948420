"""Condición 2 de exactly-once: una fuente que se pueda releer.

El proceso se cae con un micro-batch a medias. Del socket, esas líneas ya no vuelven; los ficheros se leen
otra vez.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="exacto2_fuente",
    title="exactly-once, condición 2: una fuente releíble; un socket pierde el lote a medias",
    section="Tolerancia a fallos, condición 2",
    reads=("jobs/labs/exacto/exacto2_fuente.py", "jobs/labs/kit/sources.py"),
)
