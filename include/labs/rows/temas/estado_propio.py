"""Estado sin gestionar, en Python: `transformWithState` (el curso dice que hace falta Java o Scala; hoy no).

Por cada persona se guarda cuántos bizums van y su suma, y un temporizador de tiempo de evento la da por
inactiva al cabo de un día sin bizums. Necesita el almacén de estado RocksDB.
"""

from datetime import UTC, datetime

from include.samples import bizums
from jobs.labs.declared.lab import Lab, Option

_START = datetime(2026, 11, 1, tzinfo=UTC)

LAB = Lab(
    name="estado_propio",
    title="estado propio con transformWithState, en Python",
    section="Transformaciones con estado: sin gestionar",
    options=(
        Option("count", 60, "bizums", least=1, most=100_000),
        Option("seed", 4, "la misma semilla, los mismos bizums"),
    ),
    sample=lambda o: {
        "bizums.csv": "".join(
            f"{line}\n" for line in bizums.dated_lines(int(o["count"]), int(o["seed"]), _START, 6)
        )
    },
    reads=("jobs/labs/temas/estado_propio.py", "jobs/domain/cuentas.py"),
)
