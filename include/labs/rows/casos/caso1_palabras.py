"""Palabras que llegan por un socket, contadas. `nc -lk 9999` en otro terminal las envía; si en ese puerto no
escucha nadie, el laboratorio pone su propio servidor y envía unas frases.

Cada línea de texto abre un micro-batch. En modo `complete` la consola enseña siempre todas las palabras; en
`update`, solo las que han cambiado. La consulta tiene nombre (`palabras`), tres particiones de barajado en
vez de 200, y con Ctrl-C termina al acabar el micro-batch en curso. Un socket no se puede releer: lo que se
pierda por el camino, perdido está.
"""

from jobs.labs.declared.combinations import MODES
from jobs.labs.declared.ends import Console, Pipeline, Socket
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="caso1_palabras",
    title="contar palabras desde un socket: consola, complete y update",
    section="Caso 1: Hola Spark Streaming",
    options=(
        Option("port", 9999, "puerto de 127.0.0.1 en el que escucha nc", least=1, most=65535),
        Option("mode", "complete", "complete o update", choices=MODES),
        Option(
            "seconds",
            0,
            "terminar a los tantos segundos; 0: cuando se cierre el socket o con Ctrl-C",
            least=0,
        ),
    ),
    ui=True,
    pipeline=lambda o: Pipeline(
        Socket(port=int(o["port"])),
        Console(truncate=False),
        mode=o["mode"],  # type: ignore[arg-type]
        trigger="default",
        state="aggregation",
    ),
    reads=("jobs/labs/casos/caso1_palabras.py", "jobs/labs/kit/line_server.py"),
)
