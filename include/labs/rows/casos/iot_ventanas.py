"""IoT: temperaturas por ventanas deslizantes de 15 minutos cada 5, y la máxima de cada 5 minutos.

Cada lectura cuenta en tres ventanas. Una ventana sale cuando la marca de agua (la lectura más nueva menos 10
minutos) pasa su final; una de cada diez lecturas llega desordenada, hasta 8 minutos tarde, y cuenta. Las que
marca `--late` llegan al final, una por sensor, con la hora de la primera y 99,75 grados: sus ventanas ya
salieron, y ninguna máxima las tiene. Las últimas ventanas quedan abiertas. Con los streams `temperaturas`,
`temperaturas_ventanas` y `temperaturas_maxima` es trabajo programado, con su cuenta, y `--close-windows` las
cierra.
"""

from include.samples import temperaturas
from jobs.labs.declared.lab import Lab, Option

_START_MS = 1_793_527_200_000  # 1 November 2026, 10:00 UTC
_HOT = 99.75  # degrees: it would be the maximum of any window that it counted in


def _readings(count: int, late: int, seed: int) -> list[str]:
    late_ones = [temperaturas.reading(sensor, _HOT, _START_MS) for sensor in temperaturas.SENSORS[:late]]
    return [*temperaturas.documents(count, seed, _START_MS), *late_ones]


LAB = Lab(
    name="iot_ventanas",
    title="IoT: ventanas deslizantes, máxima de 5 minutos, lecturas tardías",
    section="Actividad opcional: IoT",
    options=(
        Option("source", "files", "files o kafka", choices=("files", "kafka")),
        Option("count", 240, "lecturas", least=1, most=100_000),
        Option(
            "late",
            3,
            "lecturas que llegan demasiado tarde, una por sensor",
            least=0,
            most=len(temperaturas.SENSORS),
        ),
        Option("seed", 1, "la misma semilla, las mismas lecturas"),
    ),
    kafka=lambda o: o["source"] == "kafka",
    sample=lambda o: {
        "lecturas.json": "".join(
            f"{one}\n" for one in _readings(int(o["count"]), int(o["late"]), int(o["seed"]))
        )
    },
    reads=("jobs/domain/iot.py", "include/samples/temperaturas.py"),
)
