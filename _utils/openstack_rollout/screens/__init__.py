"""Words and tables for people, made of plain records. Nothing decides here."""
