"""MLlib en un flujo: se entrena con datos fijos y se puntúa según llega.

Un árbol de decisión aprende de lecturas pasadas (temperatura, humedad) cuáles son avería. El modelo es una
transformación más: se aplica al flujo y no guarda estado.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="mllib",
    title="MLlib: entrenar por lotes, puntuar en streaming",
    section="Streaming en Spark: MLlib",
    reads=("jobs/labs/temas/mllib.py",),
)
