"""Archivar un fichero que está planificado y sin terminar.

Un fichero planificado que ya no está: Spark confirma el lote con cero de sus filas. Caudal comprueba cada fichero del plan, se para y lo
nombra.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa04_movido_a_medias",
    title="trampa 4: archivar un fichero que está planificado y sin terminar",
    section="Trampas",
    fault="moved_while_planned",
    reads=("docs/reliability.md",),
)
