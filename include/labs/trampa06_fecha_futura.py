"""Un fichero con fecha del futuro.

Tras un fichero de 2096, los normales son «demasiado viejos» (`maxFileAge`) y no se leen. Caudal les pone la fecha de su admisión.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa06_fecha_futura",
    title="trampa 6: un fichero con fecha del futuro",
    section="Trampas",
    fault="future_dated",
    reads=("docs/reliability.md",),
)
