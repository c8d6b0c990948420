"""What all verbs print with: lines, tables, progress, help pages."""
