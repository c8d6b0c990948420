"""topic temperaturas -> checked readings, exactly once (course: IoT)."""

from jobs.core.run import main
from jobs.domain import iot

if __name__ == "__main__":
    main(schema=iot.SCHEMA, rules=iot.RULES, transform=iot.lecturas)
