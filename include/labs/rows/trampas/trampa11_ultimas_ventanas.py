"""`availableNow` no saca las últimas ventanas.

Una ventana sale cuando la marca de agua pasa su final, y la marca de agua solo se mueve con datos más nuevos:
las últimas quedan dentro del estado. En Caudal, `./caudal run temperaturas_ventanas --close-windows` las
publica y las da por cerradas.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="trampa11_ultimas_ventanas",
    title="trampa 11: las últimas ventanas no salen con availableNow",
    section="Trampas",
    reads=("jobs/labs/trampas/trampa11_ultimas_ventanas.py", "docs/decisions/0013-stateful-streams.md"),
)
