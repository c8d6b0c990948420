"""Condición 3 de exactly-once: lógica determinista.

Cada fila recibe una clave, y el destino guarda por clave: repetir un lote no debería cambiar nada. Si la
clave sale de `uuid()`, el lote que se repite tras una caída trae otras claves, y sus filas quedan dos veces.
Si sale del propio dato, no.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="exacto3_determinista",
    title="exactly-once, condición 3: lógica determinista; con uuid(), el lote repetido es otro",
    section="Tolerancia a fallos, condición 3",
    reads=("jobs/labs/exacto/exacto3_determinista.py",),
)
