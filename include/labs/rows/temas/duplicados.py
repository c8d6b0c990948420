"""Quitar duplicados en un flujo: `dropDuplicatesWithinWatermark`.

El productor reintenta y el mismo aviso llega dos veces, con minutos de diferencia. Dentro de la marca de agua
se reconoce; pasada, Spark ya lo ha olvidado y vuelve a salir. Caudal no quita registros por su contenido:
cada registro de la fuente cuenta una vez.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="duplicados",
    title="duplicados con marca de agua: qué se reconoce y qué no",
    section="Transformaciones con estado: duplicados",
    reads=("jobs/labs/temas/duplicados.py",),
)
