"""Un corte de luz deja vacío el último offset.

Spark no sincroniza su checkpoint: tras el corte, la consulta no arranca nunca más. Caudal nombra el fichero roto y qué hacer.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa16_corte_de_luz",
    title="trampa 16: un corte de luz deja vacío el último offset",
    section="Trampas",
    fault="last_offset_empty",
    reads=("docs/reliability.md",),
)
