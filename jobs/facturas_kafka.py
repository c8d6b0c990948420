"""topic facturas -> one document per invoice line, exactly once (course: Caso 3)."""

from jobs.core.run import main
from jobs.domain import facturas

if __name__ == "__main__":
    main(schema=facturas.SCHEMA, rules=facturas.RULES, transform=facturas.lineas)
