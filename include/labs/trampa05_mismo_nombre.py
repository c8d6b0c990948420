"""Entregar otra vez el mismo nombre con otro contenido.

Spark reconoce los ficheros por su nombre y no lee el segundo. Caudal da a cada entrega un nombre con su número y su contenido.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa05_mismo_nombre",
    title="trampa 5: entregar otra vez el mismo nombre con otro contenido",
    section="Trampas",
    fault="same_name",
    reads=("docs/reliability.md",),
)
