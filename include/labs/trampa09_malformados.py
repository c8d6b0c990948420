"""Registros malformados entre los buenos.

El lector de JSON de Spark pierde el registro o un campo, o la consulta se para para siempre. Caudal aparta cada uno con su motivo y sigue.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa09_malformados",
    title="trampa 9: registros malformados entre los buenos",
    section="Trampas",
    fault="malformed_records",
    reads=("docs/reliability.md",),
)
