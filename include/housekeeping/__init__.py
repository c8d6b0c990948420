"""Housekeeping: archive, restore, purge, and the operations on generations and refused records.

Each operation is planned first (read-only), written into the journal whole, and then done step by step.
"""
