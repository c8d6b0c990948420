"""Bizums con fecha de envío (Faker): el más alto de cada persona y día, con marca de agua y ventanas de un
día.

Uno de cada diez llega hasta seis horas tarde. Un día se cierra cuando la marca de agua (seis horas de
retraso) pasa su final; el último queda abierto, y en modo `append` no sale: el laboratorio enseña cuáles
faltan.
"""

from datetime import UTC, datetime

from include.samples import bizums
from jobs.labs.declared.lab import Lab, Option

_START = datetime(2026, 11, 1, tzinfo=UTC)

LAB = Lab(
    name="actividad4_bizums_faker",
    title="bizums con fecha: ventanas por día, marca de agua, lo que llega tarde",
    section="Actividad 4 (opcional: Faker)",
    options=(
        Option("count", 300, "bizums", least=1, most=100_000),
        Option("seed", 1, "la misma semilla, los mismos bizums"),
        Option("days", 3, "días en los que se envían", least=1, most=365),
    ),
    sample=lambda o: {
        "bizums.csv": "".join(
            f"{line}\n"
            for line in bizums.dated_lines(int(o["count"]), int(o["seed"]), _START, int(o["days"]))
        )
    },
    reads=("jobs/domain/bizums.py", "include/samples/bizums.py"),
)
