"""Leer un fichero a medio escribir.

Spark lee lo que hay y no vuelve. Caudal deja en `entrada` lo que alguien todavía escribe.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa07_a_medio_escribir",
    title="trampa 7: leer un fichero a medio escribir",
    section="Trampas",
    fault="half_written",
    reads=("docs/reliability.md",),
)
