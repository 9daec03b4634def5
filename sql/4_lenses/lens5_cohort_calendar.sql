-- One row per cohort and calendar period (both of $cohort_months months): the C3 picture, from acquisition to
-- $as_of, gaps as zeros.
--
-- Shares are of all cohorts of the calendar period, whose spend and profit add up to marts.customer_periods.
SELECT
    $as_of AS as_of,
    cohort,
    calendar_period,
    complete,
    active,
    orders,
    spend,
    profit,
    CAST(active AS DOUBLE)
    / NULLIF(CAST(SUM(active) OVER (PARTITION BY calendar_period) AS DOUBLE), 0) AS share_active,
    CAST(profit AS DOUBLE)
    / NULLIF(CAST(SUM(profit) OVER (PARTITION BY calendar_period) AS DOUBLE), 0) AS share_profit
FROM lenses.cohort_cells
WHERE months = $cohort_months
ORDER BY cohort_start NULLS FIRST, calendar_period
