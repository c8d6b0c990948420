"""Custom state for each person: the number of bizums, their sum, and a timer that finds people who send no
more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import Row
from pyspark.sql.streaming import StatefulProcessor
from pyspark.sql.types import DoubleType, LongType, StringType, StructType

SALIDA = (
    StructType()
    .add("Persona", StringType())
    .add("Bizums", LongType())
    .add("Suma", DoubleType())
    .add("Inactiva", StringType())
)
DIA_MS = 86_400_000


class Cuenta(StatefulProcessor):
    """Rows of (Persona, Cantidad, Ms) -> SALIDA: a row for each person and batch; and a row with Inactiva =
    "sí" when a day of event time has passed since the person's last bizum."""

    def init(self, handle: Any) -> None:
        self.handle = handle
        self.state = handle.getValueState(
            "cuenta", StructType().add("n", LongType()).add("suma", DoubleType())
        )

    def handleInputRows(self, key: Any, rows: Iterator[Row], timerValues: Any) -> Iterator[Row]:
        n, total = self.state.get() if self.state.exists() else (0, 0.0)
        newest = 0
        for row in rows:
            n, total, newest = n + 1, total + row.Cantidad, max(newest, row.Ms)
        self.state.update((n, total))
        for timer in self.handle.listTimers():
            self.handle.deleteTimer(timer)
        self.handle.registerTimer(max(newest, timerValues.getCurrentWatermarkInMs()) + DIA_MS)
        yield Row(Persona=key[0], Bizums=n, Suma=total, Inactiva="no")

    def handleExpiredTimer(self, key: Any, timerValues: Any, expiredTimerInfo: Any) -> Iterator[Row]:
        del timerValues, expiredTimerInfo
        n, total = self.state.get()
        self.state.clear()
        yield Row(Persona=key[0], Bizums=n, Suma=total, Inactiva="sí")

    def close(self) -> None:
        return
