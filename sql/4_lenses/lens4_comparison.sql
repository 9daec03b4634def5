-- One row per alignment, grain, cohort, age (and so calendar period) and measure: the cohort's value against that of
-- all cohorts acquired before it, taken together.
--
-- alignment 'age': at the same age. alignment 'calendar': in the same calendar period. A gap that is there in one
-- and not in the other is age or calendar, not quality. Cohorts of unknown size take no part.
WITH cells AS (
    SELECT
        grain, months, cohort, cohort_index, age, calendar_index, calendar_period, complete,
        CAST(cohort_size AS DOUBLE) AS size,
        CAST(active AS DOUBLE) AS active,
        CAST(orders AS DOUBLE) AS orders,
        spend,
        profit,
        FIRST_VALUE(profit) OVER (PARTITION BY months, cohort_index ORDER BY age) AS first_profit
    FROM lenses.cohort_cells
    WHERE cohort_size IS NOT NULL
),

aligned AS (
    SELECT
        'age' AS alignment,
        *,
        SUM(size) OVER earlier AS earlier_size,
        SUM(active) OVER earlier AS earlier_active,
        SUM(orders) OVER earlier AS earlier_orders,
        CAST(SUM(spend) OVER earlier AS DOUBLE) AS earlier_spend,
        CAST(SUM(profit) OVER earlier AS DOUBLE) AS earlier_profit,
        CAST(SUM(first_profit) OVER earlier AS DOUBLE) AS earlier_first_profit
    FROM cells
    WINDOW earlier AS (
        PARTITION BY months, age ORDER BY cohort_index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
    UNION ALL
    SELECT
        'calendar' AS alignment,
        *,
        SUM(size) OVER earlier AS earlier_size,
        SUM(active) OVER earlier AS earlier_active,
        SUM(orders) OVER earlier AS earlier_orders,
        CAST(SUM(spend) OVER earlier AS DOUBLE) AS earlier_spend,
        CAST(SUM(profit) OVER earlier AS DOUBLE) AS earlier_profit,
        CAST(SUM(first_profit) OVER earlier AS DOUBLE) AS earlier_first_profit
    FROM cells
    WINDOW earlier AS (
        PARTITION BY months, calendar_index ORDER BY cohort_index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

measures AS (
    SELECT position, measure
    FROM (
        VALUES (1, 'pct_active'), (2, 'aof'), (3, 'aov'), (4, 'margin'), (5, 'profit_per_active'),
        (6, 'profit_per_acquired'), (7, 'profit_index')
    ) AS t (position, measure)
),

compared AS (
    SELECT
        a.*,
        m.position,
        m.measure,
        CASE m.measure
            WHEN 'pct_active' THEN a.active / a.size
            WHEN 'aof' THEN a.orders / NULLIF(a.active, 0)
            WHEN 'aov' THEN CAST(a.spend AS DOUBLE) / NULLIF(a.orders, 0)
            WHEN 'margin' THEN CAST(a.profit AS DOUBLE) / NULLIF(CAST(a.spend AS DOUBLE), 0)
            WHEN 'profit_per_active' THEN CAST(a.profit AS DOUBLE) / NULLIF(a.active, 0)
            WHEN 'profit_per_acquired' THEN CAST(a.profit AS DOUBLE) / a.size
            ELSE CASE WHEN a.first_profit > 0 THEN CAST(a.profit AS DOUBLE) / CAST(a.first_profit AS DOUBLE) END
        END AS value,
        CASE m.measure
            WHEN 'pct_active' THEN a.earlier_active / a.earlier_size
            WHEN 'aof' THEN a.earlier_orders / NULLIF(a.earlier_active, 0)
            WHEN 'aov' THEN a.earlier_spend / NULLIF(a.earlier_orders, 0)
            WHEN 'margin' THEN a.earlier_profit / NULLIF(a.earlier_spend, 0)
            WHEN 'profit_per_active' THEN a.earlier_profit / NULLIF(a.earlier_active, 0)
            WHEN 'profit_per_acquired' THEN a.earlier_profit / a.earlier_size
            ELSE CASE WHEN a.earlier_first_profit > 0 THEN a.earlier_profit / a.earlier_first_profit END
        END AS earlier_value
    FROM aligned AS a
    CROSS JOIN measures AS m
)

SELECT
    $as_of AS as_of,
    alignment,
    grain,
    cohort,
    age,
    calendar_period,
    measure,
    complete,
    value,
    earlier_value,
    value - earlier_value AS difference
FROM compared
ORDER BY alignment, months, cohort_index, age, position
