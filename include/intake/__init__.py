"""Intake: files of `entrada/F` are claimed, counted and admitted into `en_proceso/F`, or refused into `cuarentena/F/ficheros`.

    entrada/F/x  -claim->  en_proceso/F/.claims/x  -hash, count, ledger->  en_proceso/F/000000000007-<hash>-x

At any instant each file has one name a reader sees. Killed anywhere, the next `admit` goes on from what it finds: a claim without a
ledger row is hashed again, one with an unfinished row keeps its original mtime, a visible file with an unfinished row is finished.
The caller holds the stream's lease.
"""

from include.intake.admit import admit, waiting_files
from include.intake.types import Intake, Refusal

__all__ = ["Intake", "Refusal", "admit", "waiting_files"]
