"""Dos ejecuciones a la vez sobre un checkpoint.

Una de las dos acaba mal y deja ficheros que un lector cuenta. En Caudal la segunda no empieza: código 75.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa12_dos_a_la_vez",
    title="trampa 12: dos ejecuciones a la vez sobre un checkpoint",
    section="Trampas",
    fault="two_at_once",
    reads=("docs/reliability.md",),
)
