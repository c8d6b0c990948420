"""Registros que la retención borra antes de que nadie los lea.

El job de Spark muere en cada ejecución, con lo que vino detrás sin leer; con `failOnDataLoss=false` sigue, y nadie sabe qué faltó. Caudal se para
una vez, dice qué offsets de qué partición faltan, y `rollover --accept-loss` sigue detrás de ellos.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa15_retencion",
    title="trampa 15: la retención borra lo que no se había leído",
    section="Trampas",
    fault="retention_passed",
    reads=("docs/reliability.md",),
)
