"""topic facturas -> topic notificaciones, exactly once (course: Caso 4)."""

from jobs.core.run import main
from jobs.domain import facturas

if __name__ == "__main__":
    main(schema=facturas.SCHEMA, rules=facturas.RULES, transform=facturas.notificaciones)
