"""Housekeeping: every operation is planned first (read-only), written into the journal whole, then done step by step."""
