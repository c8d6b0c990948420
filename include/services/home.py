"""The visible folders of a home, and the page that explains them."""

from __future__ import annotations

from include.services import files
from jobs.contract.disk.layout import FOLDERS, Layout

LEEME = """\
Las carpetas de data/  (F = carpeta de una fuente, S = stream; por defecto se llaman igual)

carpeta        qué hay                                    quién lo mueve                        ¿puedo tocarlo?
-------------  -----------------------------------------  ------------------------------------  ---------------------------------------------
entrada/F      ficheros nuevos, aún sin admitir           tú los pones (./caudal put S FICHERO)  SÍ: es la puerta. Copia, mueve o borra
en_proceso/F   ficheros admitidos, para Spark             el lanzador, al empezar una ejecución  NO: Spark los tiene planificados por su nombre
_staging/S     lotes a medio escribir                     el job; acaba con un rename a salida   NO: nada de aquí cuenta todavía
salida/S       lotes publicados, con su _MANIFEST         el job, un lote entero cada vez        SOLO LEER: salida/S/gen=*/batch=*/part-*
archivo/F      ficheros ya leídos y probados, por día     el archivado, tras cada ejecución      SOLO LEER: ./caudal restore los devuelve
cuarentena     lo rechazado, con su motivo al lado        la admisión y el job                   SOLO LEER: corrige una copia y ponla en entrada
checkpoints/S  la memoria de Spark                        Spark                                  NUNCA: sin ella no se sabe qué está hecho
retirado/S     generaciones retiradas, hasta su purga     ./caudal generation …                  SOLO LEER

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
