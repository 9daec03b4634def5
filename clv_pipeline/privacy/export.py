"""All that a home knows of one person, as JSON: the right of access.

Belongs here: collecting and writing it. Does not belong here: where people are in the lake (`people.py`).
"""

import json
import os
from pathlib import Path

from clv_pipeline.customers.id_map import list_identifiers
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.moments import tell_time
from clv_pipeline.privacy.guard import LOCK, Guard, PrivacyError, open_guard
from clv_pipeline.privacy.log import EXPORT, Act, keep_act
from clv_pipeline.privacy.people import find_files, keep_ids, list_places
from clv_pipeline.settings import Settings

_OWNER_ONLY = 0o600


def collect_person(lake: Lake, settings: Settings, customer: str) -> str:
    """The rows of every table that name `customer`, as the source calls it, under any identifier; by table and month.

    Raises PrivacyError, which does not name the customer, when nothing is known.
    """
    lake.prepare()
    began = tell_time()
    with lake.hold(LOCK, shared=True), lake.connect() as con:
        has_data = not Ledger.read(lake).batches.is_empty()
        guard = open_guard(lake, settings, has_data=has_data) if settings.privacy.pseudonyms else Guard()
        stored = guard.name_stored(customer)
        keep_ids(con, list_identifiers(lake, [stored]))
        tables: dict[str, list[dict[str, object]]] = {}
        files = 0
        for place in list_places(con, lake, settings):
            found = find_files(con, place)
            if found:
                is_theirs = f"{place.customer} IN (SELECT id FROM person)"
                query = f"SELECT * EXCLUDE (clv_file) FROM {place.relation} WHERE {is_theirs} ORDER BY ALL"
                before = tables.setdefault(place.table, [])
                before += [row for row in con.sql(query).pl().to_dicts() if row not in before]
                files += len(found)
    if not tables:
        raise PrivacyError("nothing is known of a customer of that id; rfm.customers lists who has orders")
    person = {"customer_id": customer, "exported_at": began.isoformat(timespec="seconds") + "Z", "tables": tables}
    keep_act(lake, Act(EXPORT, began, people=1, rows=sum(map(len, tables.values())), files=files))
    return json.dumps(person, indent=2, default=str, ensure_ascii=False)


def write_person(file: Path, text: str) -> None:
    """Writes the export to a file that only its owner can read, in one rename."""
    staging = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(
        os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w", encoding="utf-8"
    ) as handle:
        handle.write(text + "\n")
    staging.replace(file)
