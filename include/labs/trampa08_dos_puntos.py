"""Un nombre con dos puntos, como los que llevan la hora.

Spark no puede leer `2026-11-25T10:00.json`: la consulta falla, y falla otra vez en cada arranque mientras el fichero esté ahí. Caudal lo admite con
un nombre seguro y guarda el suyo.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa08_dos_puntos",
    title="trampa 8: un nombre con dos puntos",
    section="Trampas",
    fault="colon_in_a_name",
    reads=("docs/reliability.md",),
)
