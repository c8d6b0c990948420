"""Intake: claims and counts the files of `entrada/F`. It admits each into `en_proceso/F`, or refuses it into
`cuarentena/F/ficheros`.

    entrada/F/x  -claim->  en_proceso/F/.claims/x  -hash, count, ledger->  en_proceso/F/000000000007-<hash>-x

At any instant, each file has one name that readers see. After a kill at any point, the next `admit` goes on:
- a claim without a ledger row is hashed again;
- a claim with an unfinished row is hashed again, and keeps its original mtime from the row;
- a visible file with an unfinished row is finished.

The caller holds the stream's lease.
"""

from include.intake.admit import admit, waiting_files
from include.intake.types import Intake, Refusal

__all__ = ["Intake", "Refusal", "admit", "waiting_files"]
