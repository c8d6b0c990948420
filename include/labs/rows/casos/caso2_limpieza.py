"""`cleanSource` de Spark, archivando y borrando, con `availableNow`: el último batch de cada ejecución se
queda sin limpiar, y así sigue hasta que hay otro batch detrás.

Al lado, los mismos cinco ficheros con Caudal, que archiva después de cada ejecución lo que el log de commits
de Spark da por hecho (`./caudal archive facturas_ficheros`).
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="caso2_limpieza",
    title="cleanSource archive y delete dejan el último batch; Caudal archiva todo",
    section="Caso 2, Refinando",
    pipeline=lambda o: Pipeline(Folder(max_files=1), Folder("salida")),
    sample=lambda o: facturas.files(6, 4),
    beside="facturas_ficheros",
    reads=("jobs/labs/casos/caso2_limpieza.py", "include/housekeeping/files/archive.py"),
)
