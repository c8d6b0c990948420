"""Cualquier camino de una fuente a un destino, con datos de muestra: qué hace Spark, o por qué no se puede y
qué usar.

Lo que no se puede se niega antes de arrancar Spark. La tabla entera está en docs/combinations.md. Con
`--state aggregation` se cuentan palabras; con `--state windowed`, palabras por ventana de un minuto con marca
de agua. Los ficheros de muestra son tres, de dos palabras cada uno: `--max-files 1` hace tres batches.
"""

from jobs.labs.declared import camino
from jobs.labs.declared.combinations import MODES, SINKS, SOURCES, STATES, TRIGGERS
from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="camino",
    title="una fuente, un destino, un modo y un trigger a elegir",
    section="Elementos: fuentes, sinks, modos y triggers",
    options=(
        Option("source", "files", ", ".join(SOURCES)),
        Option("sink", "console", ", ".join(SINKS)),
        Option("mode", "append", ", ".join(MODES)),
        Option("trigger", "default", ", ".join(TRIGGERS)),
        Option("state", "none", ", ".join(STATES)),
        Option("format", "json", "de los ficheros o mensajes: text, csv, json, parquet, orc, avro"),
        Option("separator", ",", "de ficheros csv"),
        Option("header", False, "los ficheros csv empiezan con los nombres de las columnas"),
        Option("infer", False, "el esquema sale de los ficheros que haya (con un aviso); si no, se da"),
        Option("max_files", 0, "maxFilesPerTrigger; 0: sin límite", least=0, most=1000),
        Option("max_bytes", 0, "maxBytesPerTrigger; 0: sin límite", least=0, most=1_000_000),
        Option("latest_first", False, "latestFirst: los ficheros más nuevos primero"),
        Option("rows", 20, "filas que enseña la consola", least=1, most=1000),
        Option("truncate", True, "la consola corta los textos largos"),
        Option(
            "mongo",
            "mongodb://127.0.0.1:27017",
            "dirección de MongoDB, para ese destino (vacía antes caudal.camino)",
        ),
        Option("seconds", 8, "cuánto dura lo que no termina solo", least=1, most=86_400),
    ),
    pipeline=camino.pipeline,
    reads=("jobs/labs/declared/combinations.py", "jobs/labs/kit/sources.py", "jobs/labs/kit/sinks.py"),
)
