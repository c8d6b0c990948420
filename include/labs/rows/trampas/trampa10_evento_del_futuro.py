"""Un evento con fecha de 2099 mueve la marca de agua.

La marca de agua es el evento más nuevo menos el retraso: con uno de 2099, todo lo demás llega «tarde» y se
descarta sin error. En Caudal el stream estricto de antes lo aparta (`checks.event_time`), y las ventanas
salen completas.
"""

from jobs.labs.declared.lab import Lab

LAB = Lab(
    name="trampa10_evento_del_futuro",
    title="trampa 10: un evento de 2099 deja fuera a todos los demás",
    section="Trampas",
    reads=("jobs/labs/trampas/trampa10_evento_del_futuro.py", "jobs/domain/iot.py"),
)
