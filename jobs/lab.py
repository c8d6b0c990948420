"""One run of one lab: `python jobs/lab.py --spec PATH`. What it found goes into facts.json beside the spec."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from jobs.contract import process
from jobs.contract.errors import CaudalError, ExitCode
from jobs.contract.lab import LabSpec
from jobs.core import lab, run, session


def main() -> int:
    """Returns the ExitCode; a foreseen error is one line."""
    parser = argparse.ArgumentParser(description="A lab. Start it with ./caudal lab NAME")
    parser.add_argument("--spec", type=Path, required=True)
    path: Path = parser.parse_args().spec
    process.die_with_parent(os.getppid())
    spec = LabSpec.from_json(path.read_bytes(), path)
    try:
        with session.opened(f"lab-{spec.lab}") as spark:
            found = importlib.import_module(f"jobs.labs.{spec.lab}").run(lab.of(spark, spec))
    except CaudalError as error:
        print(f"caudal: {error}", flush=True)
        return int(error.exit_code)
    except Exception as error:
        with path.with_name("driver.log").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        told = run.foreseen(error, path.with_name("driver.log"))
        print(f"caudal: {told}", flush=True)
        return int(told.exit_code)
    path.with_name("facts.json").write_text(json.dumps(found, ensure_ascii=False, default=str), encoding="utf-8")
    return int(ExitCode.DONE)


if __name__ == "__main__":
    sys.exit(main())
