"""Procesamiento continuo: sin micro-batches, con un checkpoint cada segundo.

Una tarea por partición queda en marcha y cada fila pasa en cuanto llega; cada segundo se cierra una época.
Solo vale para transformaciones sin estado y para unos pocos destinos (kafka, consola, memoria, foreach), y es
«al menos una vez». Una función `foreach` de Python recibe las filas de cien en cien, así que con pocas filas
no se nota.
"""

from jobs.labs.declared.lab import Lab, Option

LAB = Lab(
    name="continuo",
    title="trigger continuo: épocas en vez de micro-batches",
    section="Triggers: continuo",
    options=(Option("seconds", 5, "cuánto se mira cada trigger", least=1, most=86_400),),
    reads=("jobs/labs/temas/continuo.py", "jobs/labs/declared/combinations.py"),
)
