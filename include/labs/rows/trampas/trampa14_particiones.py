"""200 particiones de barajado para tres palabras.

Con el valor por defecto cada micro-batch lanza 200 tareas casi vacías; con 4, cuatro. Una consulta con estado
se queda para siempre con el número de su primera ejecución: cambiarlo después no hace nada.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="trampa14_particiones",
    title="trampa 14: 200 particiones para tres palabras",
    section="Trampas",
    reads=("jobs/labs/trampas/trampa14_particiones.py", "jobs/core/session.py"),
)
