"""Condición 1 de exactly-once: reanudar con el mismo `checkpointLocation`.

Dos entregas, dos ejecuciones. Con otra carpeta de checkpoint, la segunda lee la primera entrega otra vez; con
la misma, no. En Caudal el checkpoint y la salida son una pareja: si no casan, `run` se niega.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="exacto1_checkpoint",
    title="exactly-once, condición 1: el mismo checkpoint; con otro, todo se repite",
    section="Tolerancia a fallos, condición 1",
    reads=("jobs/labs/exacto/exacto1_checkpoint.py", "jobs/contract/commit/protocol.py"),
)
