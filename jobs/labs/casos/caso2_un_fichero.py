"""Caso 2, refined: a batch reads as many files as the option says."""

from __future__ import annotations

from jobs.domain import facturas
from jobs.labs.declared.castellano import cuantos
from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.kit import progress, sample_files
from jobs.labs.kit.lab import Facts, Lab


def run(lab: Lab) -> Facts:
    """Facts: files of each batch, in the order they were read; invoices of each; lines written."""
    for position, file in enumerate(sample_files.samples(lab.folder)):
        sample_files.deliver(file, lab.path("entrada"), position)
    source = Folder(max_files=lab.number("max_files"), latest_first=bool(lab.options["latest_first"]))
    pipeline = Pipeline(source, Folder("salida"))
    query = lab.start(facturas.lineas(lab.read(source, facturas.SCHEMA)), pipeline, "facturas")
    lab.follow(query)
    done = progress.batches(query)
    files = [sample_files.read_by(lab.path("checkpoints", "facturas"), p["batchId"]) for p in done]
    invoices = [p["numInputRows"] for p in done]
    waited = len(sample_files.names(lab.path("entrada")))
    lab.say(
        f"{cuantos(waited, 'fichero esperaba', 'ficheros esperaban')}; "
        f"maxFilesPerTrigger={source.max_files}, latestFirst={source.latest_first}"
    )
    lab.table(
        ("batch", "ficheros", "facturas"),
        [(p["batchId"], ", ".join(f), n) for p, f, n in zip(done, files, invoices, strict=True)],
    )
    written = sample_files.lines(sample_files.parts(lab.path("salida")))
    lab.say(
        f"{cuantos(written, 'línea')} de factura en salida; los ficheros siguen en entrada: "
        "Spark los recuerda en el checkpoint, no los quita"
    )
    return {"files": files, "invoices": invoices, "lines": written}
