"""Who is who, and who may be shown: one customer from what several systems say of a person.

Belongs here: frames in, frames out. Does not belong here: reading what is said (`customers/rows.py` of the
package) or publishing it (`customers/landing.py`).
"""

from clv_pipeline.clv.customers.identities import CONFLICTS, resolve_identities
from clv_pipeline.clv.customers.merging import merge_customers
from clv_pipeline.clv.customers.versions import merge_versions, select_current
from clv_pipeline.clv.customers.visibility import REASONS, find_hidden

__all__ = [
    "CONFLICTS",
    "REASONS",
    "find_hidden",
    "merge_customers",
    "merge_versions",
    "resolve_identities",
    "select_current",
]
