-- One row per cohort and age (in periods of $cohort_months months), from acquisition to the period of $as_of,
-- gaps as zeros.
--
-- cohort_size x pct_active x aof x aov = spend wherever somebody was active. spend and profit hold the
-- returns of customers who did not order in the period, so that cumulative profit is right: all cohorts of a
-- calendar period add up to the spend and profit of marts.customer_periods. The cohort 'before <data start>'
-- has no known size, hence no pct_active and nothing per acquired customer; its age counts from the data
-- start.
SELECT
    $as_of AS as_of,
    cohort,
    cohort_start,
    age,
    calendar_period,
    cohort_size,
    complete,
    active,
    CAST(active AS DOUBLE) / cohort_size AS pct_active,
    orders,
    spend,
    profit,
    CAST(orders AS DOUBLE) / NULLIF(active, 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(orders, 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / cohort_size AS profit_per_acquired,
    CAST(
        SUM(profit) OVER (PARTITION BY cohort ORDER BY age ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS DOUBLE
    ) / cohort_size AS cumulative_profit_per_acquired
FROM lenses.cohort_cells
WHERE months = $cohort_months
ORDER BY cohort_start NULLS FIRST, age
