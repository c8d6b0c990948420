"""Uniones: un flujo con una tabla, y un flujo con otro.

Cada pedido busca el nombre de su tienda en una tabla fija (lo que no está, se ve). Cada pago se une con su
pedido si llega dentro de la hora siguiente; el pago que llega más tarde no casa, y con la marca de agua Spark
puede olvidar los pedidos viejos.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="uniones",
    title="uniones flujo-tabla y flujo-flujo, con marca de agua",
    section="Transformaciones con estado: joins",
    reads=("jobs/labs/temas/uniones.py", "jobs/domain/pedidos.py"),
)
