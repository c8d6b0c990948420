"""Caso 2 with Spark's own cleaning of its source, beside Caudal's archive."""

from __future__ import annotations

from jobs.contract.disk.layout import Layout
from jobs.domain import facturas
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.kit import sample_files
from jobs.labs.kit.lab import Facts, Lab

STREAM = "facturas_ficheros"
COLUMNS = ("quién limpia", "momento", "quedan en entrada", "archivados", "líneas publicadas")
Counted = tuple[str, str, list[str], int, int]


def run(lab: Lab) -> Facts:
    """Facts: for each kind of cleaning and each moment the files that are left, how many were archived, and
    the lines written; the same for Caudal."""
    rows = [row for how in ("archive", "delete") for row in _cleaned(lab, how)]
    caudal = _caudal(lab)
    lab.table(
        COLUMNS,
        [
            (who, when, ", ".join(left) or "ninguno", archived, lines)
            for who, when, left, archived, lines in [*rows, *caudal]
        ],
    )
    lab.say(
        "Spark limpia los ficheros de un batch cuando planifica el siguiente: "
        "tras el último no hay siguiente. Si falla, solo lo dice el log."
    )
    return {"spark": [list(row) for row in rows], "caudal": [list(row) for row in caudal]}


def _cleaned(lab: Lab, how: str) -> list[Counted]:
    """Three runs: over all files but one, over nothing new, over the last one."""
    *first, last = sample_files.samples(lab.folder)
    source = Folder(
        f"entrada_{how}",
        max_files=1,
        options=(("cleanSource", how), ("sourceArchiveDir", str(lab.path(f"archivo_{how}")))),
    )
    rows = []
    for when, files in (
        (f"{len(first)} ficheros", first),
        ("sin nada nuevo", []),
        ("un fichero más", [last]),
    ):
        for file in files:
            sample_files.deliver(file, lab.path(source.path), int(file.stem.rpartition("-")[2]))
        query = lab.start(
            facturas.lineas(lab.read(source, facturas.SCHEMA)),
            Pipeline(source, Folder(f"salida_{how}")),
            f"facturas_{how}",
        )
        lab.follow(query)
        archived = [p for p in lab.path(f"archivo_{how}").rglob("*.json") if p.is_file()]
        lines = sample_files.lines(sample_files.parts(lab.path(f"salida_{how}")))
        rows.append(
            (f"cleanSource={how}", when, sample_files.names(lab.path(source.path)), len(archived), lines)
        )
    return rows


def _caudal(lab: Lab) -> list[Counted]:
    """Caudal's run over all files, which came before this lab; empty when there was none."""
    layout = Layout(lab.path("caudal"))
    if not layout.data.is_dir():
        return []
    left = sample_files.names(layout.entrada(STREAM)) + sample_files.names(layout.en_proceso(STREAM))
    archived = [p for p in layout.archivo(STREAM).rglob("*.json") if p.is_file()]
    lines = sample_files.lines(sorted(layout.salida(STREAM).glob("gen=*/batch=*/part-*")))
    return [("./caudal archive", f"{len(archived) + len(left)} ficheros", left, len(archived), lines)]
