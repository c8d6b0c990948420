"""Actividad 3 on the real broker: both writers whole, and whole again after one of them failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include import labs
from include.kafka import connection
from include.settings import Settings
from jobs.contract.errors import UsageError
from jobs.labs.actividades import actividad3_dos_escritores
from jobs.labs.kit.lab import Facts, Lab
from tests.jobs.labs.caso2 import lines_of, samples
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.broker, pytest.mark.slow]


def run(spark: Any, folder: Path, settings: Settings, said: list[str], **options: str) -> Facts:
    row = labs.get("actividad3_dos_escritores")
    values = row.values(options)
    assert row.sample is not None
    (folder / "muestras").mkdir()
    for file, text in row.sample(values).items():
        (folder / file).write_text(text)
    return actividad3_dos_escritores.run(
        Lab(spark.newSession(), folder, values, connection.connect(settings), say=said.append)
    )


@pytest.mark.parametrize("failing", ["no", "ficheros", long("kafka")])
def test_both_writers_have_everything_whichever_of_them_failed(
    spark: Any, tmp_path: Path, broker: Settings, failing: str
) -> None:
    said: list[str] = []
    found = run(spark, tmp_path, broker, said, fail=failing)
    assert found["failed"] == ("" if failing == "no" else failing)
    assert (found["invoices"], found["lines"], found["distinct"]) == (40, lines_of(*samples(tmp_path)), 40)
    if failing != "kafka":  # at least once: a batch that failed half-way is sent again
        assert found["messages"] == 40
    assert spark.read.text(str(tmp_path / "salida")).count() == found["lines"]
    lines = [line for line in said if line.startswith("awaitAnyTermination: ")]
    bad = json.loads(samples(tmp_path)[1].read_text().splitlines()[0])["InvoiceNumber"]
    expected = (
        f"awaitAnyTermination: ha fallado {failing} (esta factura no: {bad}); "
        "el otro se detiene al acabar su batch"
    )
    assert lines == ([] if failing == "no" else [expected])
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["ficheros", "kafka"]


def test_another_writer_to_fail_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'correo' no es ninguno de no, ficheros, kafka"):
        labs.get("actividad3_dos_escritores").values({"fail": "correo"})
