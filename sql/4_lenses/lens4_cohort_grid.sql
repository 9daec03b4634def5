-- One row per grain, cohort and calendar period since acquisition, gaps as zeros: every measure of the cohort x age and
-- cohort x calendar grids.
--
-- Pivot on age or on calendar_period. cohort_size x pct_active x aof x aov x margin = profit wherever somebody was
-- active. profit_index is profit relative to the period of acquisition, where that earned something; cumulative
-- values and pct_second_order (customers with a second order so far) are per customer acquired. Cohort 'before <data
-- start>' has no known size and no known acquisition period, so it has none of these; its age counts from the data
-- start.
SELECT
    $as_of AS as_of,
    grain,
    cohort,
    cohort_start,
    age,
    calendar_period,
    complete,
    cohort_size,
    active,
    orders,
    spend,
    profit,
    CAST(active AS DOUBLE) / cohort_size AS pct_active,
    CAST(orders AS DOUBLE) / NULLIF(active, 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(orders, 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / NULLIF(active, 0) AS profit_per_active,
    CASE
        WHEN cohort_size IS NOT NULL AND FIRST_VALUE(profit) OVER cohort_ages > 0
            THEN CAST(profit AS DOUBLE) / CAST(FIRST_VALUE(profit) OVER cohort_ages AS DOUBLE)
    END AS profit_index,
    CAST(profit AS DOUBLE) / cohort_size AS profit_per_acquired,
    CAST(SUM(spend) OVER cohort_ages AS DOUBLE) / cohort_size AS cumulative_spend_per_acquired,
    CAST(SUM(profit) OVER cohort_ages AS DOUBLE) / cohort_size AS cumulative_profit_per_acquired,
    CAST(SUM(second_orders) OVER cohort_ages AS DOUBLE) / cohort_size AS pct_second_order
FROM lenses.cohort_cells
WINDOW cohort_ages AS (PARTITION BY months, cohort ORDER BY age ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY months, cohort_start NULLS FIRST, age
