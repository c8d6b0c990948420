"""`maxFilesPerTrigger=1`: cinco ficheros de facturas esperan en la carpeta y cada micro-batch lee uno, del
más antiguo al más reciente; con `--latest-first yes`, al revés. Qué fichero leyó cada batch lo dice el propio
checkpoint.

Con `--max-files 2` se ve que el último batch puede quedarse corto.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="caso2_un_fichero",
    title="maxFilesPerTrigger=1: un fichero por batch, latestFirst sí o no",
    section="Caso 2, Refinando",
    options=(
        Option("max_files", 1, "ficheros por batch", least=1, most=1000),
        Option("latest_first", False, "yes: el más reciente primero"),
    ),
    pipeline=lambda o: Pipeline(Folder(max_files=int(o["max_files"])), Folder("salida")),
    sample=lambda o: facturas.files(5, 4),
    reads=("jobs/labs/casos/caso2_un_fichero.py", "jobs/labs/kit/sources.py"),
)
