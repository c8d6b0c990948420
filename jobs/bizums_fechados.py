"""csv files of dated bizums -> one row per bizum, exactly once (course: actividad 4, optional part)."""

from jobs.core.run import main
from jobs.domain import bizums

if __name__ == "__main__":
    main(schema=bizums.DATED, rules=bizums.DATED_RULES, transform=bizums.recibidos)
