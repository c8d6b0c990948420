"""The visible folders of a home, and the page that explains them."""

from __future__ import annotations

from include.services import files
from jobs.contract.disk.layout import FOLDERS, Layout

LEEME = """\
Las carpetas de data/  (F = carpeta de una fuente, S = stream; por defecto se llaman igual)

carpeta        qué hay                           quién lo mueve               ¿puedo tocarlo?
-------------  --------------------------------  ---------------------------  -------------------------------
entrada/F      ficheros nuevos, aún sin admitir  tú (./caudal put S FICHERO)  SÍ: copia, mueve o borra
en_proceso/F   ficheros admitidos, para Spark    el lanzador, al empezar      NO: Spark los lee por su nombre
_staging/S     lotes a medio escribir            el job; al final, a salida   NO: nada de aquí cuenta todavía
salida/S       lotes publicados, con _MANIFEST   el job, un lote entero       SOLO LEER: gen=*/batch=*/part-*
archivo/F      ficheros ya leídos, por día       el archivado                 SOLO LEER: ./caudal restore
cuarentena     lo rechazado, con su motivo       la admisión y el job         SOLO LEER: corrige una copia
checkpoints/S  la memoria de Spark               Spark                        NUNCA: dice qué está hecho
retirado/S     generaciones retiradas            ./caudal generation …        SOLO LEER, hasta su purga

¿Dónde está mi fichero?   ./caudal where FICHERO
"""


def make(layout: Layout) -> None:
    """Makes the folders of `data/`, `state/` and `logs/`, and `data/LEEME.txt`. Safe to call again: what
    exists stays as it is.

    A home may lie inside a checkout under any name. Its own .gitignore keeps keys, logs and data out of `git
    add .`
    """
    for name in FOLDERS:
        (layout.data / name).mkdir(parents=True, exist_ok=True)
    for folder in (layout.state, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    if not (layout.home / ".gitignore").exists():
        files.write(layout.home / ".gitignore", "*\n")
    page = layout.data / "LEEME.txt"
    if not page.exists() or page.read_text(encoding="utf-8") != LEEME:
        files.write(page, LEEME)
