"""Does the drift stage see what happens, name it, and keep quiet otherwise? Simulated, seeded, and printed as a table.

    python benchmarks/drift.py                      # every shift, and five years in which nothing happens
    python benchmarks/drift.py --only price_rise    # one of them, with all that was found
    python benchmarks/drift.py --only stable --newcomers 5000 --seeds 1

Belongs here: the shifts, and running the stage's SELECTs and checks over simulated months. Does not belong here: the
simulated shop (`shop.py`), or the pipeline around the stage: a shift goes through all of it in the tests.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl
from shop import NOTHING, Shift, Shop, simulate

from clv_pipeline.clv.drift.checks import Check, table_checks
from clv_pipeline.clv.drift.diagnosis import Diagnosis, diagnose
from clv_pipeline.clv.drift.examination import check_categories, check_month, examine
from clv_pipeline.clv.drift.profiles import Against, compare_profiles
from clv_pipeline.periods import last_day, list_periods, shift_period
from clv_pipeline.settings import Settings, Source
from clv_pipeline.sql import Literal, bind, load_sql
from clv_pipeline.stages.drift import read_thresholds
from clv_pipeline.stages.observations import EARLY_MONTHS, observe

MONTH = 40
SHIFTS: dict[str, tuple[Shift, str]] = {
    "price_rise": (Shift("price +10%", MONTH, price=1.1), "price_change"),
    "rate_drop": (Shift("purchase rate -15%", MONTH, rate=0.85), "purchase_rate"),
    "new_channel": (
        Shift("new channel: 20% of new customers, half as often, smaller baskets", MONTH, channel="affiliate"),
        "worse_new_value",
    ),
    "lost_week": (Shift("a week without lines", MONTH, lost_days=(8, 14), only=True), "missing_days"),
    "doubled_lines": (Shift("every line twice", MONTH, copies=1.0, only=True), "repeated_lines"),
    "currency": (Shift("amounts in another currency, x 1.27", MONTH, price=1.27, cost=1.27), "currency_change"),
    "time_zone": (Shift("clock 6 h ahead", MONTH, hours=6), "time_zone"),
}
_COLUMNS = {name: name for name in ("order_id", "customer_id", "order_ts", "product_id", "line_total")}
_SETTINGS = Settings(source=Source(columns={**_COLUMNS, "channel": "channel", "region": "region"}))
_MARGIN: dict[str, Literal] = {"margin": _SETTINGS.value.margin}
_LATE = {"period": pl.String, "delivered_rows": pl.Int64, "late_rows": pl.Int64}


@dataclass(frozen=True)
class Months:
    """Simulated months in DuckDB, seen as of one of them; the part of a step that the observations need."""

    con: duckdb.DuckDBPyConnection
    as_of: str
    data_start: str

    def select(self, name: str, **more: Literal) -> str:
        """The SELECT of that name with its parameters bound."""
        end = last_day(self.as_of)
        return bind(load_sql(name), as_of=self.as_of, as_of_end=end, data_start=self.data_start, **more)

    def frame(self, query: str) -> pl.DataFrame:
        """The result of a SELECT."""
        return self.con.sql(query).pl()

    def materialize(self, table: str, query: str) -> None:
        """Keeps the result of a SELECT as a table."""
        self.con.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")


def load(lines: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """The lines, and the marts made from them, under the schema `built`."""
    con = duckdb.connect()
    for schema in ("landing", "transactions", "marts", "rfm", "scores", "drift", "built"):
        con.execute(f"CREATE SCHEMA {schema}")
    con.register("given", lines.to_arrow(compat_level=pl.CompatLevel.oldest()))
    con.execute("CREATE TABLE built.lines AS FROM given; CREATE VIEW transactions.lines AS FROM built.lines")
    for mart in ("orders", "customer_periods"):
        con.execute(f"CREATE TABLE built.{mart} AS {bind(load_sql(f'2_marts/{mart}'), **_MARGIN)}")
        con.execute(f"CREATE VIEW marts.{mart} AS FROM built.{mart}")
    con.execute("CREATE TABLE transactions.quarantine (period VARCHAR)")
    con.execute(f"CREATE TABLE landing.hidden_customers AS {load_sql('1_transactions/nobody')}")
    columns = ("clv", "expected_purchases", "p_alive", "expected_spend")
    no_scores = ", ".join(f"CAST(NULL AS DOUBLE) AS {name}" for name in columns)
    con.execute(f"CREATE TABLE scores.customers AS SELECT '' AS customer_id, {no_scores} WHERE FALSE")
    return con


def look(con: duckdb.DuckDBPyConnection, months: list[str]) -> Iterator[tuple[str, list[Check], list[Diagnosis]]]:
    """Each month with its checks and diagnoses, the earlier of `months` being the as-of months that were run."""
    start = str(con.execute("SELECT min(period) FROM built.lines").fetchall()[0][0])
    profiles: dict[str, pl.DataFrame] = {}
    thresholds = read_thresholds(_SETTINGS)
    for month in months:
        for table in ("lines", "customer_periods"):
            schema = "transactions" if table == "lines" else "marts"
            seen = f"SELECT * FROM built.{table} WHERE period <= '{month}'"
            con.execute(f"CREATE OR REPLACE VIEW {schema}.{table} AS {seen}")
        queries = Months(con, month, start)
        queries.materialize("rfm.customers", queries.select("3_rfm/customers"))
        settled = shift_period(start, EARLY_MONTHS)
        queries.materialize("drift.customers", queries.select("7_drift/customers", settled=settled))
        profiles[month] = queries.frame(queries.select("7_drift/profiles"))
        observations = observe(
            queries,
            _SETTINGS,
            data_start=start,
            kept_from=start,
            last=month,
            until=last_day(month),
            late=pl.DataFrame(schema=_LATE),
        )
        examined = examine(observations, thresholds)
        references = {
            "previous": shift_period(month, -1),
            "same_period_last_year": shift_period(month, -12),
            "training": shift_period(month, -3),
            "fixed": months[0],
        }
        checks = [
            check
            for kind, reference in references.items()
            if reference in profiles and reference < month
            for check in compare_profiles(
                profiles[month], profiles[reference], Against(reference, kind, thresholds.psi)
            )
        ]
        checks += check_categories(observations, references, thresholds.psi)
        yield month, [*checks, *check_month(examined)], diagnose(examined, checks)


def try_shift(name: str, shops: list[Shop], *, verbose: bool) -> dict[str, Any]:
    """What was found in the month of a shift, and in those beside it, over all `shops`."""
    shift, cause = SHIFTS[name]
    found = [_alert(shift, shop, verbose=verbose) for shop in shops]
    before, now, *later = ([months[at] for months in found] for at in range(4))
    return {
        "shift": shift.name,
        "expected": cause,
        "before": _join(before),
        "in the month": _join(now),
        "after": _join([[*second, *third] for second, third in zip(*later, strict=True)]),
        "named at once": f"{sum(causes == [cause] for causes in now)} of {len(shops)}",
    }


def _alert(shift: Shift, shop: Shop, *, verbose: bool) -> list[list[str]]:
    """The causes that alert in the month before a shift, in its month, and in the two after it."""
    con = load(simulate(shop, shift))
    month = shift_period(shop.start, shift.month)
    told = list_periods(shift_period(month, -1), shift_period(month, 2))
    alerts = []
    for looked, checks, diagnoses in look(con, [shift_period(month, -12), shift_period(month, -3), *told]):
        if looked in told:
            alerts.append([one.cause for one in diagnoses if one.level == "alert"])
        if verbose:
            print(looked, *(f"\n    {one}" for one in diagnoses))
            drifted = table_checks(checks).filter(pl.col("level") != "ok")
            with pl.Config(tbl_rows=60, tbl_cols=9, fmt_str_lengths=90, tbl_width_chars=220):
                print(drifted.select("reference", "feature", "test", "statistic", "threshold", "chance", "level"))
    con.close()
    return alerts


def _join(causes: list[list[str]]) -> str:
    """Each cause of several runs with how often it came; a dash for none."""
    counted = Counter(cause for run in causes for cause in run)
    return ", ".join(f"`{cause}` {times}x" for cause, times in counted.most_common()) or "-"


def count_false_alerts(shop: Shop, *, verbose: bool) -> dict[str, Any]:
    """Alerts and warnings over all months in which nothing happens; a cause that lasts is told once."""
    con = load(simulate(shop, NOTHING))
    alerts, warnings, rows, lasting = [], 0, 0, set[tuple[str, str]]()
    for month, checks, diagnoses in look(con, list_periods(shop.start, shift_period(shop.start, shop.months - 1))):
        found = {(one.cause, one.subject): one for one in diagnoses}
        new = [key for key, one in found.items() if one.level == "alert" and key not in lasting]
        alerts += [f"{month} {found[key].cause}: {found[key].meaning}" for key in new]
        lasting = {*new, *(lasting & found.keys())}
        warnings += sum(one.level == "warn" for one in diagnoses)
        levels = [check for check in checks if check.level == "alert"]
        rows += len(levels)
        if verbose:
            for one in diagnoses:
                print(month, one.level, one.cause, one.meaning, one.evidence)
            for check in levels:
                print(
                    month, "   ", check.topic.feature, check.reference_kind, check.test, check.statistic, check.meaning
                )
    con.close()
    return {
        "new customers a month": shop.newcomers,
        "seed": shop.seed,
        "alerts": len(alerts),
        "which": "; ".join(alerts) or "-",
        "warnings": warnings,
        "checks": rows,
    }


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=(*SHIFTS, "stable"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--newcomers", type=int, default=600)
    chosen = parser.parse_args()
    began = time.monotonic()
    verbose = chosen.only is not None
    shops = [Shop(seed=seed, newcomers=chosen.newcomers) for seed in range(1, chosen.seeds + 1)]
    if chosen.only != "stable":
        names = [chosen.only] if chosen.only else list(SHIFTS)
        _print([try_shift(name, shops, verbose=verbose) for name in names])
    if chosen.only in (None, "stable"):
        _print([count_false_alerts(shop, verbose=verbose) for shop in shops])
    print(f"{time.monotonic() - began:.0f} s")


def _print(rows: list[dict[str, Any]]) -> None:
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
