"""Publishes what people open: `clv.duckdb` and the report.

Belongs here: gathering the tables of an as-of month for the report and putting the page into place. Does not belong
here: what the page says (`report/`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.customers.landing import CONFLICTED, DESCRIPTIONS, REFUSED
from clv_pipeline.door import open_views, rebuild_door
from clv_pipeline.fitting import ask, is_prepared
from clv_pipeline.lake import Lake, LakeError, rename_durably
from clv_pipeline.pins import PINS
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.privacy.guard import LOCK
from clv_pipeline.settings import Settings
from clv_pipeline.sql import load_sql, quote_literal
from clv_pipeline.state import HIDDEN, State

_MADE_FROM, _CACHE = ".report", ".cache"
_EVALUATION, _DRAWS = "models.evaluation", "models.draws"
_AS_OF_TABLES = (
    "quality.sufficiency",
    *(name for step in AS_OF_STEPS for name in step.names if name.startswith("lenses.")),
    "models.parameters",
    "models.evaluation",
    "models.repeat_purchases",
    "models.alive_matrix",
    "models.spend_fit",
    "models.backtest",
    "models.backtest_calibration",
    "models.backtest_pit",
    "models.backtest_weeks",
    "models.recalibration",
    "models.choice",
    "models.in_use",
    "models.promotions",
    "scores.totals",
    "scores.publication",
    "drift.checks",
    "drift.diagnoses",
    "drift.measures",
    "drift.performance",
)
_SUMMARIES = {
    "models.cards": """
        SELECT c.* FROM models.cards c JOIN models.promotions p USING (version)
        WHERE p.as_of = {as_of} QUALIFY row_number() OVER (PARTITION BY c.line ORDER BY c.as_of) = 1 ORDER BY c.line""",
    "marts.periods": "SELECT * FROM marts.periods WHERE period <= {as_of} ORDER BY period",
    "rfm.segments": """
        SELECT segment, count(*) AS customers, CAST(sum(spend) AS DECIMAL(18, 2)) AS spend
        FROM rfm.customers WHERE as_of = {as_of} GROUP BY segment ORDER BY customers DESC, segment""",
    "scores.top": """
        SELECT s.*, r.frequency, r.recency, r."T", r.spend FROM scores.customers s JOIN rfm.customers r
        USING (as_of, customer_id) WHERE as_of = {as_of} ORDER BY clv DESC, customer_id LIMIT 10""",
    "scores.bottom": """
        SELECT s.*, r.frequency, r.recency, r."T", r.spend FROM scores.customers s JOIN rfm.customers r
        USING (as_of, customer_id) WHERE as_of = {as_of} ORDER BY clv, customer_id DESC LIMIT 10""",
    "scores.deciles": """
        SELECT decile, count(*) AS customers, sum(clv) AS clv, sum(expected_purchases) AS expected_purchases,
            sum(clv_uncorrected) AS clv_uncorrected, max(pace) AS pace, max(spend_level) AS spend_level
        FROM scores.customers WHERE as_of = {as_of} GROUP BY decile ORDER BY decile""",
    "scores.ranges": """
        SELECT count(*) AS customers, count(*) FILTER (WHERE clv > 0 AND clv_upper = 0) AS unlikely
        FROM scores.customers WHERE as_of = {as_of}""",
    "scores.examples": f"WITH compared AS ({load_sql('6_scores/compared')}) {load_sql('6_scores/examples')}".replace(
        "$as_of", "{as_of}"
    ),
    "monitoring.causes": "SELECT * FROM drift.diagnoses WHERE as_of <= {as_of} ORDER BY as_of DESC, cause, subject",
    "monitoring.forecasts": """
        SELECT * FROM drift.performance WHERE as_of <= {as_of} AND cohort = 'all'
        ORDER BY target, horizon_months, until""",
    "monitoring.versions": "SELECT * FROM models.promotions WHERE as_of <= {as_of} ORDER BY as_of",
    "monitoring.published": "SELECT * FROM scores.publication WHERE as_of <= {as_of} ORDER BY as_of",
    "transactions.quarantine": """
        SELECT reason, count(*) AS lines FROM transactions.quarantine
        WHERE period <= {as_of} OR period IS NULL GROUP BY reason ORDER BY lines DESC, reason""",
    "transactions.reconciliation": "SELECT * FROM transactions.reconciliation",
    # No customer stands in these.
    "people.hidden": load_sql("6_scores/hidden").replace("$as_of", "{as_of}"),
    "people.conflicts": """
        SELECT kind, field, rule, count(*) AS cases FROM landing.customer_conflicts
        GROUP BY ALL ORDER BY cases DESC, kind, field, rule""",
    "people.refused": """
        SELECT source, field, reason, fix, count(*) AS cells FROM landing.customer_quarantine
        GROUP BY ALL ORDER BY cells DESC, source, field, reason""",
}
# What this month is compared with the as-of month before on.
_COMPARED = ("lenses.lens1_headline", "scores.deciles")
# How many months back a page that is missing or was made from other tables is made (again); half a second each.
_MONTHS_KEPT_CURRENT = 12


def publish_report(lake: Lake, settings: Settings, as_of: str | None = None) -> Path:
    """Rebuilds `clv.duckdb` and the report of `as_of` (default: the latest as-of month); returns the page.

    Raises LakeError when no as-of month has been run yet.
    """
    with lake.hold(LOCK, shared=True), lake.hold("report"):
        return _publish_report(lake, settings, as_of)


def _publish_report(lake: Lake, settings: Settings, as_of: str | None) -> Path:
    from clv_pipeline.report import build_report  # noqa: PLC0415  (charts take half a second to import)

    state = State(lake, settings)
    contents = describe_contents(state)
    rebuild_door(lake, settings)
    months = sorted(state.stamps("lenses.lens1_headline"))
    if not months:
        raise LakeError("there is nothing to report yet; run `clv run` first")
    chosen = as_of or months[-1]
    if chosen not in months:
        raise LakeError(f"as-of {chosen} has not been run; run `clv run --as-of {chosen}` first")
    folder = lake.home / "report"
    folder.mkdir(parents=True, exist_ok=True)
    page = ""
    for month in [*_find_outdated(state, months, chosen), chosen]:
        facts = _state_facts(state, settings, month, months)
        try:
            with open_views(lake, settings) as con:
                tables = _gather(con, month)
                previous = _gather(con, facts.previous_as_of, _COMPARED) if facts.previous_as_of else {}
            page = ask(build_report, tables, facts, previous=previous, cache_dir=lake.root / _CACHE).result()
        except (pl.exceptions.ColumnNotFoundError, duckdb.BinderException, KeyError) as error:
            if any(step.explain_staleness(state, month) for step in AS_OF_STEPS):
                command = f"clv run --as-of {month}"
                raise LakeError(f"tables of {month} were made by an earlier version; run `{command}` first") from error
            raise
        _write_durably(lake, folder / f"{month}.html", page)
        _write_durably(lake, _stamp_file(lake, month), _describe_month(state, month))
    if chosen != months[-1]:
        return folder / f"{chosen}.html"
    _write_durably(lake, folder / "index.html", page)
    _write_durably(lake, lake.root / _MADE_FROM, contents)
    return folder / "index.html"


def prepare_report(lake: Lake) -> None:
    """Has the report's libraries loaded in the process that fits, where there is one: it is idle soon."""
    if is_prepared():
        from clv_pipeline.report import prepare_building  # noqa: PLC0415

        ask(prepare_building, lake.root / _CACHE)


def draw_lenses(lake: Lake, settings: Settings, as_of: str) -> dict[str, dict[str, bytes]]:
    """The report's charts of the lenses of `as_of` as PNG, by table and title; see `renderings.py`."""
    from clv_pipeline.renderings import READ_BESIDE, render_charts  # noqa: PLC0415

    lenses = [name for name in _AS_OF_TABLES if name.startswith("lenses.")]
    with lake.hold(LOCK, shared=True), open_views(lake, settings) as con:
        tables = _gather(con, as_of, (*lenses, *READ_BESIDE))
    return render_charts(tables, _state_facts(State(lake, settings), settings, as_of, [as_of]))


def draw_draws(lake: Lake, settings: Settings, as_of: str) -> dict[str, dict[str, bytes]]:
    """Trace and rank plots of the fit of `as_of` as PNG, by table and title; nothing where it was not sampled."""
    from clv_pipeline.renderings import render_sampling  # noqa: PLC0415

    stamps = State(lake, settings).stamps(_EVALUATION)
    if as_of not in stamps:
        return {}
    measured = lake.read(_EVALUATION, as_of)
    chains = measured.filter(split="sampling", metric="chains")["value"]
    if chains.is_empty():
        return {}
    draws = lake.read(_DRAWS, as_of)
    return {_DRAWS: {"Traces and ranks of the draws": render_sampling(draws, int(chains[0]))}}


def _find_outdated(state: State, months: list[str], chosen: str) -> list[str]:
    """The latest months before `chosen` whose page is not there or was made from other tables than there are now."""
    earlier = [month for month in months if month < chosen][-_MONTHS_KEPT_CURRENT:]
    return [month for month in earlier if not _is_current(state, month)]


def _is_current(state: State, month: str) -> bool:
    stamp = _stamp_file(state.lake, month)
    page = state.lake.home / "report" / f"{month}.html"
    return page.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == _describe_month(state, month)


def _stamp_file(lake: Lake, month: str) -> Path:
    return lake.root / f"{_MADE_FROM}-{month}"


def _describe_month(state: State, month: str) -> str:
    """A hash of the as-of tables of `month`: what its page shows of the customers known then."""
    names = [table.name for step in AS_OF_STEPS for table in step.tables]
    stamps = [(name, stamp.content) for name in names if (stamp := state.stamps(name).get(month))]
    return sha256(repr(sorted(stamps)).encode()).hexdigest()[:20]


def _write_durably(lake: Lake, target: Path, text: str) -> None:
    staging = lake.staging_file("report", target.name)
    staging.write_text(text, encoding="utf-8")
    rename_durably(staging, target)


def read_made_from(lake: Lake) -> str | None:
    """What the latest report and `clv.duckdb` were made from, as `describe_contents` says it; None before the first."""
    path = lake.root / _MADE_FROM
    return path.read_text(encoding="utf-8") if path.exists() else None


def describe_contents(state: State) -> str:
    """A hash of everything published and landed; equal hashes mean that the report and `clv.duckdb` are current."""
    tables = [
        *DESCRIPTIONS,
        PINS,
        *(table.name for step in (*MONTH_STEPS, *AS_OF_STEPS) for table in step.tables),
    ]
    stamps = [(name, month, stamp.content) for name in tables for month, stamp in state.stamps(name).items()]
    described = repr((str(state.lake.home), state.ledger.next_seq, sorted(stamps)))
    return sha256(described.encode()).hexdigest()[:20]


def _gather(con: duckdb.DuckDBPyConnection, as_of: str, wanted: Sequence[str] | None = None) -> dict[str, pl.DataFrame]:
    """The tables of `as_of` that the report shows, or those of them that are `wanted`."""
    tables: dict[str, pl.DataFrame] = {}
    queries = {name: f"SELECT * FROM {name} WHERE as_of = {{as_of}}" for name in _AS_OF_TABLES} | _SUMMARIES
    present = {row[0] for row in con.execute("SELECT schema_name || '.' || view_name FROM duckdb_views()").fetchall()}
    present.add("transactions.reconciliation")
    sources = {"rfm.segments": "rfm.customers"}
    derived = ("scores.top", "scores.bottom", "scores.deciles", "scores.ranges", "scores.examples")
    sources |= dict.fromkeys(derived, "scores.customers")
    sources |= {
        "monitoring.causes": "drift.diagnoses",
        "monitoring.forecasts": "drift.performance",
        "monitoring.versions": "models.promotions",
        "monitoring.published": "scores.publication",
        "people.hidden": HIDDEN,
        "people.conflicts": CONFLICTED,
        "people.refused": REFUSED,
    }
    for name, query in queries.items():
        if sources.get(name, name) in present and (wanted is None or name in wanted):
            tables[name] = con.sql(query.format(as_of=quote_literal(as_of))).pl()
    return tables


def _state_facts(state: State, settings: Settings, as_of: str, months: list[str]):
    from clv_pipeline.report import ReportFacts  # noqa: PLC0415

    fitted = state.stamps("models.parameters").get(as_of)
    used = state.stamps("models.in_use").get(as_of)
    known_costs = "line_cost" in settings.source.columns or "unit_cost" in settings.source.columns
    margin = f"spend x {settings.value.margin:.0%} margin"
    basis = (
        f"profit = spend - cost; where no cost is known, {margin}"
        if known_costs
        else f"profit = {margin} (no costs known)"
    )
    return ReportFacts(
        as_of=as_of,
        as_of_end=state.as_of_end(as_of),
        currency=settings.source.currency,
        window=settings.periods.window,
        cohort=settings.periods.cohort,
        value_basis=basis,
        model_name=used.facts.get("model") if used else None,
        model_version=used.facts.get("version") if used else None,
        generated_at=datetime.now(UTC),
        notes=tuple(fitted.facts.get("notes", ())) if fitted else (),
        as_of_links=tuple((month, _find_page(state.lake, month)) for month in months),
        cohort_by=settings.periods.cohort_by,
        only=settings.periods.filter_text,
        has_acquisition_dates=_knows_acquisitions(state.lake),
        previous_as_of=max((month for month in months if month < as_of), default=None),
    )


def _knows_acquisitions(lake: Lake) -> bool:
    files = lake.published("landing.customers")
    return any(pl.read_parquet(file, columns=["acquisition_ts"])["acquisition_ts"].count() for file in files.values())


def _find_page(lake: Lake, month: str) -> str:
    name = f"{month}.html"
    return name if (lake.home / "report" / name).exists() else ""
