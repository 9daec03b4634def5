"""What is published, read once: the ledger, the stamps of every table, the calendar of the data.

Belongs here: answers about the lake that several places need. Does not belong here: decisions what to run (`plan.py`).
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from hashlib import sha256

from clv_pipeline.lake import Lake, Stamp
from clv_pipeline.ledger import UNDATED, Ledger
from clv_pipeline.periods import as_of_end, last_day, list_periods, shift_period
from clv_pipeline.privacy.closed_months import ClosedMonths, read_closed
from clv_pipeline.settings import Settings

LINES = "transactions.lines"
IDENTITIES, HIDDEN = "landing.customer_ids", "landing.hidden_customers"
# Facts of the tables of customers: by month, fingerprints of the identifiers with lines in it, and of the customers who
# are first seen in it; and how much had been landed when it was said who is hidden.
MONTHS, KNOWN, LANDED_UP_TO = "months", "known", "landed up to"
# The fact of a month of marts.customer_periods that counts the orders in it: who only returned has a row, too.
ORDER_COUNT = "orders"
# The fact beside it that counts the lines of customers with a known cost.
COST_COUNT = "lines with a cost"


@dataclass(frozen=True)
class State:
    """A look at the lake; stamps are read when first asked for and then kept."""

    lake: Lake
    settings: Settings
    _stamps: dict[str, dict[str, Stamp]] = field(default_factory=dict)

    def look_again(self) -> "State":
        """A look at the lake as it is now; a ledger that nobody has replaced since is not read again."""
        fresh = State(self.lake, self.settings)
        if "ledger" in vars(self) and fresh._ledger_identity == self._ledger_identity:
            kept = ["ledger", "_landed", "periods", "known_periods"]
            vars(fresh).update({name: vars(self)[name] for name in kept if name in vars(self)})
        return fresh

    @cached_property
    def _ledger_identity(self) -> tuple[int, int] | None:
        return Ledger.identify(self.lake)

    @cached_property
    def ledger(self) -> Ledger:
        """The landing ledger."""
        _ = self._ledger_identity  # asked for first: a ledger replaced while it is read counts as replaced
        return Ledger.read(self.lake)

    @cached_property
    def closed(self) -> ClosedMonths:
        """The months whose raw lines were dropped."""
        return read_closed(self.lake)

    @cached_property
    def _landed(self) -> dict[str, str]:
        landed = self.ledger.fingerprints(self.settings)
        return {p: found for p, found in landed.items() if not self.closed.holds(p)} | self.closed.fingerprints

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of the landed rows of each month, and of whose they are where identifiers are merged.

        Of a closed month that of the rows it was made from: no merge reaches it any more.
        """
        stamp = self.lake.read_stamp(IDENTITIES, "all") if self.settings.customers.merges else None
        merged = stamp.facts.get(MONTHS, {}) if stamp else {}
        return {
            month: landed if self.closed.holds(month) else _combine(landed, merged.get(month))
            for month, landed in self._landed.items()
        }

    @cached_property
    def periods(self) -> list[str]:
        """All months from the first (or `[periods] start`) to the last with live rows, without gaps."""
        months = sorted(set(self._landed) - {UNDATED})
        first = self.settings.periods.start or (months[0] if months else None)
        return list_periods(first, months[-1]) if first and months else []

    @property
    def data_start(self) -> str:
        """The month that the data starts in; customers acquired before it belong to the cohort of those before."""
        return self.periods[0] if self.periods else "9999-12"

    @cached_property
    def known_periods(self) -> list[str]:
        """`periods`, and those months before and after them that once had rows."""
        touched = [month for month in self.ledger.periods() if month >= (self.settings.periods.start or "")]
        months = sorted({*self.periods, *touched})
        return list_periods(months[0], months[-1]) if months else []

    def stamps(self, table: str) -> dict[str, Stamp]:
        """The stamps of the published partitions of `table`."""
        if table not in self._stamps:
            self._stamps[table] = self.lake.read_stamps(table)
        return self._stamps[table]

    def stamp(self, table: str, period: str) -> Stamp | None:
        """The stamp of one partition; None when it is not published."""
        return self._stamps[table].get(period) if table in self._stamps else self.lake.read_stamp(table, period)

    def list_known(self, table: str, period: str) -> list[tuple[str, str, str]] | None:
        """What `table` says of the customers seen up to `period`: table, month first seen, fingerprint.

        Where months make no difference, of the whole table. None where lines were landed since: nobody is shown before
        it is known whether they may be.
        """
        stamp = self.stamps(table).get("all")
        known = stamp.facts.get(KNOWN) if stamp else None
        if stamp is None or (known is None and not stamp.rows):
            return []
        if known is None:
            return [(table, "all", stamp.content)]
        if stamp.facts.get(LANDED_UP_TO, self.ledger.next_seq) != self.ledger.next_seq:
            return None
        return [(table, month, digest) for month, digest in known.items() if month <= period]

    @cached_property
    def last_loaded_day(self) -> date | None:
        """The last day with a line; None before the first month is published."""
        days = [stamp.facts["last_day"] for stamp in self.stamps(LINES).values() if stamp.facts.get("last_day")]
        return date.fromisoformat(max(days)) if days else None

    def last_ended(self, period: str) -> str:
        """`period` where its last day is loaded, else the month before."""
        return period if self.as_of_end(period) == last_day(period) else shift_period(period, -1)

    def fit_month(self, period: str) -> str:
        """The month at whose end a fit for `period` is made: the last that has ended, `period` where none has.

        It is none where no customer has an order by then.
        """
        last = self.last_ended(period)
        return last if self.has_orders(last) else period

    def has_orders(self, period: str) -> bool:
        """Whether a customer has an order up to the end of `period`; where nobody counted them, a row is taken for one.

        A month whose raw lines were dropped before orders were counted stays as it is.
        """
        stamps = [stamp for month, stamp in self.stamps("marts.customer_periods").items() if month <= period]
        return any(stamp.rows and stamp.facts.get(ORDER_COUNT, stamp.rows) for stamp in stamps)

    def has_costs(self, period: str) -> bool:
        """Whether any line of a customer up to the end of `period` has a known cost.

        Where nobody counted them before the raw lines of a month were dropped, it is taken to have one.
        """
        stamps = self.stamps("marts.customer_periods")
        return any(stamp.facts.get(COST_COUNT, stamp.rows) for month, stamp in stamps.items() if month <= period)

    def as_of_end(self, period: str) -> date:
        """The last day that as-of `period` sees."""
        return as_of_end(period, self.last_loaded_day or last_day(period))


def _combine(landed: str, merged: str | None) -> str:
    return sha256(f"{landed} {merged}".encode()).hexdigest()[:20] if merged else landed
