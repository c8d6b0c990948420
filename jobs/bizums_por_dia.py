"""what bizums_fechados has published -> the highest bizum of each person and day, when the day is over
(course: actividad 4, optional part)."""

from jobs.core.run import main
from jobs.domain import bizums

if __name__ == "__main__":
    main(schema=bizums.DATED, transform=bizums.maximos_por_dia)
