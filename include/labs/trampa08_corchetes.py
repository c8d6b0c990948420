"""Un nombre con corchetes.

Para Spark un nombre con `[ ]` es un patrón: los demás ficheros del lote se leen dos veces. Caudal admite con nombres seguros.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa08_corchetes",
    title="trampa 8: un nombre con corchetes",
    section="Trampas",
    fault="brackets_in_a_name",
    reads=("docs/reliability.md",),
)
