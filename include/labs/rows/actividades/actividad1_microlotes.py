"""Cinco micro-batches del Caso 1, y después los jobs y stages que Spark ha creado para cada uno, leídos de su
API REST (la dirección que imprime al empezar, `/api/v1`) y justificados.

Las líneas las envía el laboratorio, una por micro-batch. Con `--seconds 60` la interfaz de Spark sigue
abierta un minuto para mirarla.
"""

from jobs.labs.declared.combinations import MODES
from jobs.labs.declared.ends import Console, Pipeline, Socket
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="actividad1_microlotes",
    title="cinco micro-batches: cuántos jobs, stages y tareas, y por qué",
    section="Actividad 1",
    options=(
        Option("mode", "complete", "complete o update", choices=MODES),
        Option("partitions", 3, "particiones de barajado (spark.sql.shuffle.partitions)", least=1),
        Option(
            "seconds",
            0,
            "cuánto sigue abierta la interfaz de Spark después de la tabla; Ctrl-C la cierra",
            least=0,
        ),
    ),
    ui=True,
    pipeline=lambda o: Pipeline(Socket(), Console(), mode=o["mode"], trigger="default", state="aggregation"),  # type: ignore[arg-type]
    reads=("jobs/labs/actividades/actividad1_microlotes.py", "jobs/labs/kit/spark_api.py"),
)
