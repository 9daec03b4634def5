-- One row per grain, cohort and value decile of profit since acquisition, 1 the best; an empty decile has no row.
--
-- The deciles cut the cohort's cumulated profit, largest customers first, into ten equal parts; loss-makers are in
-- the last. threshold: the highest profit below the decile, all in which earned more. aof is orders per customer of the decile since acquisition.
WITH deciles AS (
    SELECT
        months,
        cohort_index,
        decile,
        COUNT(*) AS customers,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
        MAX(profit) AS highest_profit,
        MIN(profit) AS lowest_profit
    FROM lenses.customer_values
    GROUP BY months, cohort_index, decile
)

SELECT
    $as_of AS as_of,
    h.grain,
    h.cohort,
    d.decile,
    d.customers,
    d.orders,
    d.spend,
    d.profit,
    d.highest_profit,
    d.lowest_profit,
    LEAD(d.highest_profit) OVER (PARTITION BY d.months, d.cohort_index ORDER BY d.decile) AS threshold,
    CAST(d.customers AS DOUBLE) / h.cohort_size AS share_customers,
    CAST(d.orders AS DOUBLE)
    / CAST(SUM(d.orders) OVER (PARTITION BY d.months, d.cohort_index) AS DOUBLE) AS share_orders,
    CAST(d.spend AS DOUBLE)
    / NULLIF(CAST(SUM(d.spend) OVER (PARTITION BY d.months, d.cohort_index) AS DOUBLE), 0) AS share_spend,
    CAST(d.profit AS DOUBLE)
    / NULLIF(CAST(SUM(d.profit) OVER (PARTITION BY d.months, d.cohort_index) AS DOUBLE), 0) AS share_profit,
    CAST(d.spend AS DOUBLE) / d.customers AS spend_per_customer,
    CAST(d.profit AS DOUBLE) / d.customers AS profit_per_customer,
    CAST(d.orders AS DOUBLE) / d.customers AS aof,
    CAST(d.spend AS DOUBLE) / d.orders AS aov,
    CAST(d.profit AS DOUBLE) / NULLIF(CAST(d.spend AS DOUBLE), 0) AS margin
FROM deciles AS d
INNER JOIN lenses.cohorts AS h ON d.months = h.months AND d.cohort_index = h.cohort_index
ORDER BY d.months, d.cohort_index, d.decile
