"""Un enlace simbólico en la carpeta de entrada.

Spark lo sigue: lee otra vez el fichero al que apunta, o uno de fuera de la carpeta. Caudal no sigue enlaces: lo deja en entrada y dice por qué.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa08_enlaces",
    title="trampa 8: un enlace se lee como un fichero más",
    section="Trampas",
    fault="link_to_a_file",
    reads=("docs/reliability.md",),
)
