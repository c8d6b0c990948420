"""Borrar la salida y conservar el checkpoint.

Spark da por hechos los lotes del checkpoint: lo borrado no vuelve. Caudal ve que faltan lotes y se niega; `generation reset` trae los
ficheros archivados y lo publica todo otra vez.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa02_salida_borrada",
    title="trampa 2: borrar la salida y conservar el checkpoint",
    section="Trampas",
    fault="output_removed",
    reads=("docs/reliability.md",),
)
