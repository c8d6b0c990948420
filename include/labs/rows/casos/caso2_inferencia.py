"""El esquema inferido: Spark mira los ficheros que hay al arrancar, y con la carpeta vacía no puede. Un
fichero que llega después con otra forma no cambia nada: lo que no cabe se lee como nulo y los campos nuevos
no se ven, sin un aviso. Al arrancar otra vez, las columnas son otras.

Un stream de Caudal lleva el esquema escrito, y un registro que no cabe va a `cuarentena` con su motivo:
`./caudal run facturas_ficheros`.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, ForeachBatch, Pipeline
from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="caso2_inferencia",
    title="esquema inferido: qué ve Spark y qué pierde de un fichero de otra forma",
    section="Caso 2, Cargando los datos",
    pipeline=lambda o: Pipeline(Folder(infer=True), ForeachBatch()),
    sample=lambda o: facturas.files(1, 4),
    reads=("jobs/labs/casos/caso2_inferencia.py", "jobs/labs/kit/sources.py"),
)
