"""The pages of the report in the order of their tabs: the question of each, its sections, and what to look at next.

Belongs here: what goes where. Does not belong here: what a section shows (`sections/`). To add a section: write a
function that takes the data and gives a Section, or None where its table is not there, and name it here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clv_pipeline.report.blocks import NextStep, Page, Section
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections import (
    backtest,
    behaviours,
    comparison,
    drift,
    lens1,
    lens1_spread,
    lens2,
    lens2_headline,
    lens2_moves,
    lens3,
    lens3_purchases,
    lens3_value,
    lens3_weeks,
    lens4,
    lens4_years,
    lens5,
    lens5_outlook,
    lens5_shares,
    model_card,
    models,
    monitoring,
    monitoring_forecasts,
    monitoring_series,
    months,
    people,
    published,
    quality,
    scores,
    segments,
    sufficiency,
    summary,
)

Builder = Callable[[ReportData], Section | None]


@dataclass(frozen=True)
class PageSpec:
    """A page before it has data; an optional one is left out when it has nothing to say."""

    id: str
    tab: str
    title: str
    question: str
    builders: Sequence[Builder]
    next_steps: Sequence[NextStep]
    is_optional: bool = False

    def build(self, data: ReportData) -> Page:
        """The page with the sections that have something to say."""
        sections = [section for build in self.builders if (section := build(data)) is not None]
        return Page(self.id, self.tab, self.title, self.question, sections, self.next_steps)


PAGES: Sequence[PageSpec] = (
    PageSpec(
        "sufficiency",
        "Data check",
        "Data check",
        "Do the data suffice for what follows?",
        (sufficiency.build_section,),
        (
            NextStep("How healthy is the customer base?", "summary"),
            NextStep("Is every delivered line accounted for?", "quality"),
            NextStep("Do the assumptions of the models hold?", "models"),
        ),
        is_optional=True,
    ),
    PageSpec(
        "summary",
        "Summary",
        "Summary",
        "How healthy is the customer base, and can this be trusted?",
        (summary.build_headline, comparison.build_section, months.build_months, months.build_index),
        (
            NextStep("Who makes the profit, and how much rests on how few?", "lens1"),
            NextStep("If profit moved: who came, who did not come back, who changed?", "lens2"),
            NextStep("If a figure looks odd: is every delivered line accounted for?", "quality"),
        ),
    ),
    PageSpec(
        "lens1",
        "Lens 1",
        "Lens 1: how customers differ",
        "How different are our customers?",
        (
            lens1.build_headline,
            lens1_spread.build_distributions,
            lens1_spread.build_spend_by_orders,
            lens1.build_deciles,
            lens1_spread.build_value_deciles,
            lens1_spread.build_rfm,
        ),
        (
            NextStep("Are the best customers of this window those of the window before?", "lens2"),
            NextStep("Were the best customers better from the start? Compare cohorts at equal age.", "lens4"),
            NextStep("Which customers are expected to be the best from here on?", "models"),
        ),
    ),
    PageSpec(
        "lens2",
        "Lens 2",
        "Lens 2: what changed",
        "What changed since the window before?",
        (
            lens2_headline.build_headlines,
            lens2.build_groups,
            lens2.build_bridge,
            lens2_moves.build_overlays,
            lens2_headline.build_common_deciles,
            lens2_moves.build_migration,
            lens2_moves.build_up_down,
        ),
        (
            NextStep(
                "Is it unusual that so many did not come back? See how cohorts normally thin out with age.", "lens3"
            ),
            NextStep("Are the new customers as good as earlier ones were at their age?", "lens4"),
            NextStep("How much of the profit does the base carry over from one period to the next?", "lens5"),
        ),
    ),
    PageSpec(
        "lens3",
        "Lens 3",
        "Lens 3: how a cohort evolves",
        "How does a cohort evolve as it ages?",
        (
            behaviours.build_scope_of_lens3,
            lens3.build_activity,
            lens3.build_factors,
            lens3_weeks.build_weekly_sales,
            lens3_purchases.build_second_purchase,
            lens3_weeks.build_waits,
            lens3_purchases.build_repeat_buying,
            lens3_purchases.build_patterns,
            lens3_value.build_value,
            lens3_value.build_decile_activity,
            lens3_value.build_rfm,
        ),
        (
            NextStep("Is this cohort typical? Put it beside the others.", "lens4"),
            NextStep("How much of today's profit comes from old cohorts?", "lens5"),
            NextStep("How many purchases are still to come from it?", "models"),
        ),
    ),
    PageSpec(
        "lens4",
        "Lens 4",
        "Lens 4: whether cohorts differ",
        "Do newer cohorts differ from older ones?",
        (
            behaviours.build_scope_of_lens4,
            lens4.build_alignments,
            lens5_outlook.build_trend,
            lens4.build_value,
            lens4_years.build_years,
            lens4.build_calendar_grid,
            lens4_years.build_comparison,
        ),
        (
            NextStep("What do the differences add up to for the whole base?", "lens5"),
            NextStep("Within a cohort: is it fewer active customers, fewer orders, or smaller ones?", "lens3"),
        ),
    ),
    PageSpec(
        "lens5",
        "Lens 5",
        "Lens 5: the whole base",
        "How healthy is the whole customer base?",
        (
            behaviours.build_scope_of_lens5,
            lens5.build_stacks,
            lens5_shares.build_shares,
            lens5_shares.build_windows,
            lens5.build_periods,
            lens5_outlook.build_repeat_rates,
            lens5_shares.build_grids,
            lens5_outlook.build_projection,
        ),
        (
            NextStep("If the newest cohorts carry little: how good are they at equal age?", "lens4"),
            NextStep("What is the base expected to bring from here on?", "models"),
            NextStep("The headline, and this month against last.", "summary"),
        ),
    ),
    PageSpec(
        "behaviours",
        "Behaviour",
        "Lenses 3 to 5: behavioural cohorts",
        "Do customers differ by what they are, rather than by when they came?",
        (behaviours.build_ages, behaviours.build_calendar),
        (
            NextStep("All of lenses 3 to 5 for one of these groups: set [periods] only, and run again.", "lens3"),
            NextStep("Do newer cohorts differ from older ones?", "lens4"),
        ),
        is_optional=True,
    ),
    PageSpec(
        "models",
        "Models and scores",
        "Models and scores",
        "What are customers expected to do from here on, and how good is that forecast?",
        (
            segments.build_section,
            backtest.build_section,
            models.build_section,
            model_card.build_use,
            model_card.build_card,
            scores.build_section,
        ),
        (
            NextStep("What the expected profit is compared with: the profit of the window.", "lens1"),
            NextStep("Do customers and data still look like those that the model was fitted on?", "monitoring"),
        ),
    ),
    PageSpec(
        "monitoring",
        "Monitoring",
        "Monitoring",
        "Has anything moved: the data, the customers, the forecasts?",
        (
            monitoring.build_causes,
            monitoring_series.build_section,
            monitoring_forecasts.build_forecasts,
            monitoring_forecasts.build_versions,
            published.build_section,
            drift.build_section,
        ),
        (
            NextStep("If a delivery went wrong: is every delivered line accounted for?", "quality"),
            NextStep("If customers changed: which cohorts, and by how much?", "lens4"),
            NextStep("If forecasts miss: how good was the model in the backtest?", "models"),
        ),
    ),
    PageSpec(
        "quality",
        "Data quality",
        "Data quality",
        "Is every delivered line accounted for?",
        (quality.build_reconciliation, people.build_people, quality.build_lines),
        (NextStep("Back to the headline.", "summary"),),
    ),
)
