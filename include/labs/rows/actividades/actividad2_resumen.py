"""El Caso 2 fichero a fichero: qué hay en `salida` después de dejar cada uno en `entrada`, y al final el
resumen de las estadísticas del plan de ejecución (las de la pestaña SQL de Spark) y de los últimos progresos.

Al lado, el informe de una ejecución de Caudal sobre los mismos ficheros.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="actividad2_resumen",
    title="salida tras cada fichero, y resumen del plan y de los progresos",
    section="Actividad 2",
    options=(
        Option("seconds", 0, "cuánto sigue abierta la interfaz de Spark al final; Ctrl-C la cierra", least=0),
    ),
    ui=True,
    pipeline=lambda o: Pipeline(Folder(), Folder("salida"), trigger="processing-time", interval="0 seconds"),
    sample=lambda o: facturas.files(4, 50),
    beside="facturas_ficheros",
    reads=(
        "jobs/labs/actividades/actividad2_resumen.py",
        "jobs/labs/kit/spark_api.py",
        "jobs/contract/run/report.py",
    ),
)
