"""Un lector de Kafka y dos escritores en la misma sesión: las líneas de factura van a ficheros, las
notificaciones a otro topic. Cada escritor tiene su carpeta de checkpoint, y el programa espera con
`awaitAnyTermination`: si uno termina o falla, el otro se detiene al acabar su batch.

Con `--fail ficheros` o `--fail kafka` ese escritor falla a medio camino; después los dos siguen desde sus
checkpoints y no falta nada. Los topics son del laboratorio, no los de los streams. Hace falta Kafka:
`./caudal up`.
"""

from include.samples import facturas
from jobs.labs.declared.ends import Folder, Pipeline, Subscription
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="actividad3_dos_escritores",
    title="un lector, dos escritores, awaitAnyTermination; qué pasa si uno falla",
    section="Actividad 3",
    options=(
        Option(
            "fail",
            "no",
            "ficheros o kafka: qué escritor falla con la segunda entrega; no: ninguno",
            choices=("no", "ficheros", "kafka"),
        ),
    ),
    pipeline=lambda o: Pipeline(Subscription(("facturas",)), Folder("salida"), trigger="default"),
    sample=lambda o: facturas.files(2, 20),
    reads=(
        "jobs/labs/actividades/actividad3_dos_escritores.py",
        "jobs/facturas_kafka.py",
        "jobs/notificaciones.py",
    ),
)
