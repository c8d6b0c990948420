"""Lo que una consulta cuenta de sí misma: el plan (`explain`), los últimos progresos (`recentProgress`) como
tabla y como gráfico (`progreso.png` en la carpeta del laboratorio), y el último (`lastProgress`).

Mientras dura, la interfaz de Spark tiene la pestaña Structured Streaming; con `--seconds 60` sigue abierta un
minuto. Después: `./caudal spark-ui`.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="caso2_monitorizacion",
    title="explain, recentProgress y lastProgress: tabla, gráfico e interfaz de Spark",
    section="Caso 2, Monitorización",
    options=(
        Option("seconds", 0, "cuánto sigue abierta la interfaz de Spark al final; Ctrl-C la cierra", least=0),
    ),
    ui=True,
    pipeline=lambda o: Pipeline(Folder(max_files=1), Folder("salida")),
    sample=lambda o: facturas.files(6, 50),
    reads=("jobs/labs/casos/caso2_monitorizacion.py", "jobs/labs/kit/progress.py"),
)
