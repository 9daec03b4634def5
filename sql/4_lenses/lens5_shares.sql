-- One row per grain, cohort and calendar period, gaps as zeros: the C3 table of every grain, with the cohort's shares of
-- the period, and its AOF, AOV, margin and profit per active customer.
--
-- Cohorts are by acquisition ($kind 'acquisition'), or by what customers are ('behaviour'); those of a period add up
-- to lens5_periods. acquired: the cohort's customers acquired in the period. repeat_buying_rate: of those active in
-- the period before, the share active in this one. active_to_before and profit_to_before: relative to the cohort's
-- own period before.
WITH cells AS (
    SELECT
        grain, months, cohort, cohort_start, calendar_index, calendar_period, complete,
        acquired, active, active_again, orders, spend, profit
    FROM lenses.cohort_cells
    WHERE $kind = 'acquisition'
    UNION ALL
    SELECT
        grain, months, cohort, CAST(NULL AS VARCHAR) AS cohort_start, calendar_index, calendar_period, complete,
        acquired, active, active_again, orders, spend, profit
    FROM lenses.behaviour_cells
    WHERE $kind = 'behaviour'
),

compared AS (
    SELECT
        *,
        LAG(active) OVER earlier AS active_before,
        LAG(profit) OVER earlier AS profit_before
    FROM cells
    WINDOW earlier AS (PARTITION BY months, cohort ORDER BY calendar_index)
)

SELECT
    $as_of AS as_of,
    grain,
    cohort,
    calendar_period,
    complete,
    acquired,
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
    CAST(profit AS DOUBLE) / NULLIF(active, 0) AS profit_per_active,
    active_again,
    CAST(active_again AS DOUBLE) / NULLIF(active_before, 0) AS repeat_buying_rate,
    CAST(active AS DOUBLE) / NULLIF(active_before, 0) AS active_to_before,
    CASE WHEN profit_before > 0 THEN CAST(profit AS DOUBLE) / CAST(profit_before AS DOUBLE) END AS profit_to_before
FROM compared
WINDOW everybody AS (PARTITION BY months, calendar_index)
ORDER BY months, cohort_start NULLS FIRST, cohort, calendar_index
