"""Un valor que no es un número.

Spark 4 convierte con las reglas de ANSI: `cast` de "veinte" es un error, el batch no termina nunca y todo lo
que llega detrás espera para siempre. Con `try_cast` la consulta sigue y el valor desaparece sin que nadie lo
diga. Caudal aparta ese registro, con sus bytes y su motivo, y publica el resto.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="trampa10_ansi",
    title="trampa 10: un valor que no se puede convertir para la consulta",
    section="Trampas",
    reads=("jobs/labs/trampas/trampa10_ansi.py", "jobs/core/read/records.py"),
)
