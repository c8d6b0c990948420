"""Delta como destino: la tabla lleva su propio registro, `_delta_log`, y en él qué batch de qué consulta está
ya escrito.

Tres ficheros de facturas, un batch cada uno. Después se quita del checkpoint el último commit, como lo
dejaría un `kill -9` entre la escritura y el commit: Spark repite el batch, y Delta ve en su registro que ya
lo tiene. El resumen por ciudad, en modo `complete`, sustituye la tabla en cada batch: quien lea los ficheros
sin Delta encuentra también los de antes.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Delta, Folder, Pipeline
from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="sink_delta",
    title="destino Delta: un batch repetido no se repite, versiones, y por qué se lee con Delta",
    section="Sinks: Delta (opcional)",
    pipeline=lambda _: Pipeline(Folder(max_files=1), Delta("lineas")),
    sample=lambda _: facturas.files(3, 20),
    reads=("jobs/labs/temas/sink_delta.py",),
)
