-- One row per grain, cohort and calendar period, gaps as zeros: the C3 table of every grain, with the cohort's shares of
-- the period, and its AOF, AOV, margin and profit per active customer.
--
-- The cohorts of a calendar period add up to lens5_periods, and that to marts.customer_periods.
SELECT
    $as_of AS as_of,
    grain,
    cohort,
    calendar_period,
    complete,
    active,
    orders,
    spend,
    profit,
    CAST(active AS DOUBLE) / NULLIF(CAST(SUM(active) OVER everybody AS DOUBLE), 0) AS share_active,
    CAST(orders AS DOUBLE) / NULLIF(CAST(SUM(orders) OVER everybody AS DOUBLE), 0) AS share_orders,
    CAST(spend AS DOUBLE) / NULLIF(CAST(SUM(spend) OVER everybody AS DOUBLE), 0) AS share_spend,
    CAST(profit AS DOUBLE) / NULLIF(CAST(SUM(profit) OVER everybody AS DOUBLE), 0) AS share_profit,
    CAST(orders AS DOUBLE) / NULLIF(active, 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(orders, 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / NULLIF(active, 0) AS profit_per_active
FROM lenses.cohort_cells
WINDOW everybody AS (PARTITION BY months, calendar_index)
ORDER BY months, cohort_start NULLS FIRST, calendar_index
