"""Stage 4, lenses 1 and 2: their tables, each with its contract, what it says, its rules and its picture.

Belongs here: that list. Does not belong here: how the tables are made (`lenses.py`, `windows.py`).
"""

from clv_pipeline.pictures import (
    draw_bridge,
    draw_changes,
    draw_common_deciles,
    draw_concentration,
    draw_groups,
    draw_profit_deciles,
    draw_profit_histogram,
    draw_recency,
    draw_spend_by_orders,
    draw_up_down,
    draw_value_deciles,
)
from clv_pipeline.schemas.lenses import lens1, lens1_rfm, lens2, lens2_moves
from clv_pipeline.steps import Table

LENS1 = (
    Table(
        "lenses.lens1_headline",
        lens1.Lens1Headline,
        "Lens 1: how many customers bought in the window, how often, for how much and at what profit.",
    ),
    Table(
        "lenses.lens1_statistics",
        lens1.Lens1Statistics,
        "Lens 1: mean, median, percentiles of spend, profit, orders, spend per order and margin over customers.",
        rules={"means_are_of_headline": "4_lenses/check_lens1_statistics"},
    ),
    Table(
        "lenses.lens1_histograms",
        lens1.Lens1Histograms,
        "Lens 1: how many customers lie in each bin of spend, profit, orders, spend per order and margin.",
        rules={"counts_every_customer": "4_lenses/check_lens1_histograms"},
        picture=draw_profit_histogram,
    ),
    Table(
        "lenses.lens1_spend_by_orders",
        lens1.Lens1SpendByOrders,
        "Lens 1: is the frequent buyer also the bigger spender; spend per order by number of orders.",
        rules={"sums_to_headline": "4_lenses/check_lens1_spend_by_orders"},
        picture=draw_spend_by_orders,
    ),
    Table(
        "lenses.lens1_customer_deciles",
        lens1.Lens1CustomerDeciles,
        "Lens 1: how different customers are; ten equal groups by profit and what each of them brings.",
        rules={"sums_to_headline": "4_lenses/check_lens1_deciles"},
        picture=draw_profit_deciles,
    ),
    Table(
        "lenses.lens1_value_deciles",
        lens1.Lens1ValueDeciles,
        "Lens 1: how few customers bring each tenth of the profit, best first, and the thresholds between them.",
        rules={"sums_to_headline": "4_lenses/check_lens1_value_deciles"},
        picture=draw_value_deciles,
    ),
    Table(
        "lenses.lens1_concentration",
        lens1.Lens1Concentration,
        "Lens 1: what the top 1% to 50% of customers bring of profit and spend, and how few bring half.",
        picture=draw_concentration,
    ),
    Table(
        "lenses.lens1_rfm",
        lens1_rfm.Lens1Rfm,
        "Lens 1: customers by when they last ordered in the window (R) and how often (F).",
        rules={"sums_to_headline": "4_lenses/check_lens1_rfm"},
        picture=draw_recency,
    ),
    Table(
        "lenses.lens1_rfm_monetary",
        lens1_rfm.Lens1RfmMonetary,
        "Lens 1: customers by profit per order (M), in bands.",
        rules={"sums_to_headline": "4_lenses/check_lens1_rfm_monetary"},
    ),
)
LENS2 = (
    Table(
        "lenses.lens2_headline",
        lens2.Lens2Headline,
        "Lens 2: the headline of the latest window and of the one before it.",
        rules={"is_lens1": "4_lenses/check_lens2_headline"},
    ),
    Table(
        "lenses.lens2_changes",
        lens2.Lens2Changes,
        "Lens 2: what changed in each measure of the headline, and by what share.",
        picture=draw_changes,
    ),
    Table(
        "lenses.lens2_histograms",
        lens2.Lens2Histograms,
        "Lens 2: the histograms of both windows, on the same bins.",
        rules={"counts_every_customer": "4_lenses/check_lens2_histograms"},
    ),
    Table(
        "lenses.lens2_groups",
        lens2.Lens2Groups,
        "Lens 2: who bought in both windows, in the first only, and who came (new or returning) in the second.",
        rules={"sums_to_headline": "4_lenses/check_lens2_groups"},
        picture=draw_groups,
    ),
    Table(
        "lenses.lens2_bridge",
        lens2.Lens2Bridge,
        "Lens 2: how profit moved from one window to the next, group by group.",
        rules={"adds_up": "4_lenses/check_lens2_bridge"},
        picture=draw_bridge,
    ),
    Table(
        "lenses.lens2_common_deciles",
        lens2_moves.Lens2CommonDeciles,
        "Lens 2: the customers of both windows by profit, on the cut-offs of the latest window's value deciles.",
        rules={"sums_to_headline": "4_lenses/check_lens2_common_deciles"},
        picture=draw_common_deciles,
    ),
    Table(
        "lenses.lens2_migration",
        lens2_moves.Lens2Migration,
        "Lens 2: from which of those deciles to which the customers moved, or came, or did not return.",
        rules={"margins_are_groups": "4_lenses/check_lens2_migration"},
    ),
    Table(
        "lenses.lens2_up_down",
        lens2_moves.Lens2UpDown,
        "Lens 2: who bought in both windows, by whether profit, orders, spend per order and margin went up or down.",
        rules={"sums_to_both": "4_lenses/check_lens2_up_down"},
        picture=draw_up_down,
    ),
)
