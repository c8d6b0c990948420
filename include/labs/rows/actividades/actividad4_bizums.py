"""El bizum más alto de cada persona, según van llegando: modo `complete` a la consola.

El simulador envía `Nombre;Cantidad;Concepto` por un socket (o ficheros, o Kafka). «José», «JOSÉ» y «jose» son
la misma persona; la ñ es una letra. Las líneas que no se pueden contar no paran nada: se cuentan aparte. Con
el stream `bizums` la cuenta es exacta y lo malo queda en `cuarentena`.
"""

from include.samples import bizums
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="actividad4_bizums",
    title="bizums: el más alto de cada persona, resultado completo por consola",
    section="Actividad 4",
    options=(
        Option("source", "socket", "socket, files o kafka", choices=("socket", "files", "kafka")),
        Option("count", 40, "bizums que envía el simulador", least=1, most=100_000),
        Option("seed", 1, "la misma semilla, los mismos bizums"),
        Option("pause", 0.05, "segundos entre bizum y bizum", least=0, most=60),
    ),
    kafka=lambda o: o["source"] == "kafka",
    sample=lambda o: {
        "bizums.csv": "".join(f"{line}\n" for line in bizums.lines(int(o["count"]), int(o["seed"])))
    },
    reads=("jobs/domain/bizums.py", "include/samples/bizums.py"),
)
