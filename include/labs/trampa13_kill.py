"""Kill -9 a mitad de la escritura.

Lo escrito a medias queda bajo `part-*` y un lector que no sea Spark lo cuenta. Caudal publica con un solo cambio de nombre.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa13_kill",
    title="trampa 13: kill -9 a mitad de la escritura",
    section="Trampas",
    fault="killed_while_writing",
    reads=("docs/reliability.md",),
)
