"""csv files of bizums -> one document per bizum, exactly once (course: actividad 4)."""

from jobs.core.run import main
from jobs.domain import bizums

if __name__ == "__main__":
    main(schema=bizums.SCHEMA, rules=bizums.RULES, transform=bizums.recibidos)
