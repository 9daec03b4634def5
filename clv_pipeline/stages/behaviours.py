"""Stage 4, lenses 3 to 5: behavioural cohorts, and what to know about the customers before comparing cohorts.

Belongs here: the tables by a column of customers, and the warnings. Does not belong here: their arithmetic
(`sql/4_lenses/`), or where the columns come from (`customers/attributes.py`).
"""

from clv_pipeline.schemas.lenses import behaviours
from clv_pipeline.steps import Step, Table

BEHAVIOURS = (
    Table(
        "lenses.lens3_behaviour_age",
        behaviours.Lens3BehaviourAge,
        "Lenses 3 and 4: each behavioural cohort ([periods] cohort_by) by age since each customer's acquisition.",
    ),
    Table(
        "lenses.lens3_behaviour_statistics",
        behaviours.Lens3BehaviourStatistics,
        "Lens 3: how profit, spend, orders, spend per order and margin to date differ within each behavioural cohort.",
    ),
    Table(
        "lenses.lens5_behaviour_calendar",
        behaviours.Lens5BehaviourCalendar,
        "Lenses 4 and 5: each behavioural cohort by calendar period, with its shares of the base.",
    ),
)
_DATED, _FOUND = "acquisition_dates_are_known", "filter_finds_customers"
ADVICE = (_DATED, _FOUND)
_LARGEST_VALUES = """
    SELECT attribute || ' = ' || value AS found FROM lenses.customer_attributes
    WHERE value IS NOT NULL AND attribute IN (SELECT attribute FROM lenses.wanted_values)
    GROUP BY attribute, value ORDER BY count(*) DESC, found LIMIT 10"""


def advise_on_customers(step: Step, table: str) -> None:
    """Warns when acquisition is only known from first orders, and when the filter finds nobody."""
    dated = step.frame("SELECT count(acquisition_ts) AS dated FROM landing.customers").item()
    summary = (
        f"the customer file dates {dated} acquisitions; the others are dated by the first order"
        if dated
        else "no acquisition date is given, so the first order counts: customers from before the data look new"
        f" in its first periods ({step.parameters['data_start']} on); give a [customers] file with acquisition_ts"
    )
    step.advise(table, _DATED, summary, passed=dated > 0)
    _advise_on_filter(step, table)


def _advise_on_filter(step: Step, table: str) -> None:
    text = step.settings.periods.filter_text
    found = step.frame("SELECT count(*) FILTER (WHERE in_base) AS found FROM lenses.base_customers").item()
    values = ", ".join(step.frame(_LARGEST_VALUES)["found"]) if not found else ""
    summary = f"lenses 3 to 5 see the {found} customers with {text}" if text else "lenses 3 to 5 see every customer"
    if text and not found:
        summary = f"no customer has {text}, so lenses 3 to 5 are empty; there are {values or 'no values'}"
    step.advise(table, _FOUND, summary, passed=found > 0 or not text)
