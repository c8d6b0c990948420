"""Borrar el checkpoint para empezar de cero.

Sin el checkpoint, la consulta vuelve a contar sus lotes desde 0, y la carpeta de salida recuerda que el lote 0 ya está: los datos nuevos se
descartan en silencio. Caudal compara checkpoint y salida antes de empezar, se niega, y nombra la orden que lo arregla.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa01_checkpoint_borrado",
    title="trampa 1: borrar el checkpoint para empezar de cero",
    section="Trampas",
    fault="checkpoint_removed",
    reads=("docs/reliability.md",),
)
