"""What a person can ask for: to be unknown by name, to be forgotten, and to be told what is kept.

Belongs here: pseudonyms and the guard of landing (`guard.py`, `key.py`), forgetting (`erasure.py`, `people.py`,
`traces.py`), what is told (`export.py`), raw lines that are too old (`retention.py`, `closed_months.py`), the record of
all this (`log.py`). Does not belong here: the settings (`settings/privacy.py`), who may be shown (`customers/`).
"""
