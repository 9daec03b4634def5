-- One row per grain, cohort and calendar week from the cohort's first week with an order to the week of $as_of: first
-- and repeat orders, gaps as zeros.
--
-- Weeks start on Monday. A first order is a customer's first in time; all orders of customers acquired before the
-- data starts are repeat orders. Orders and spend of all cohorts add up to marts.orders of known customers.
WITH weekly AS (
    SELECT
        acquired_month,
        CAST(DATE_TRUNC('week', order_day) AS DATE) AS week_start,
        COUNT(*) FILTER (WHERE order_number = 1) AS first_orders,
        COUNT(*) AS orders,
        COALESCE(SUM(spend) FILTER (WHERE order_number = 1), 0) AS first_spend,
        SUM(spend) AS spend
    FROM lenses.numbered_orders
    GROUP BY 1, 2
),

by_cohort AS (
    SELECT
        h.grain,
        h.months,
        h.cohort,
        h.cohort_index,
        w.week_start,
        SUM(w.first_orders) AS first_orders,
        SUM(w.orders) AS orders,
        SUM(w.first_spend) AS first_spend,
        SUM(w.spend) AS spend
    FROM lenses.cohorts AS h
    INNER JOIN weekly AS w
        ON COALESCE(h.cohort_index, -1) = COALESCE(w.acquired_month - w.acquired_month % h.months, -1)
    GROUP BY h.grain, h.months, h.cohort, h.cohort_index, w.week_start
),

digits AS (
    SELECT digit
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (digit)
),

weeks AS (
    SELECT CAST(
        CAST(DATE_TRUNC('week', $as_of_end) AS DATE)
        - INTERVAL 7 DAY * (1000 * k.digit + 100 * h.digit + 10 * t.digit + u.digit) AS DATE
    ) AS week_start
    FROM digits AS k
    CROSS JOIN digits AS h
    CROSS JOIN digits AS t
    CROSS JOIN digits AS u
),

first_weeks AS (
    SELECT grain, months, cohort, cohort_index, MIN(week_start) AS first_week
    FROM by_cohort
    GROUP BY grain, months, cohort, cohort_index
)

SELECT
    $as_of AS as_of,
    f.grain,
    f.cohort,
    w.week_start,
    CAST(COALESCE(b.first_orders, 0) AS BIGINT) AS first_orders,
    CAST(COALESCE(b.orders - b.first_orders, 0) AS BIGINT) AS repeat_orders,
    CAST(COALESCE(b.first_spend, 0) AS DECIMAL(18, 2)) AS first_spend,
    CAST(COALESCE(b.spend - b.first_spend, 0) AS DECIMAL(18, 2)) AS repeat_spend
FROM first_weeks AS f
INNER JOIN weeks AS w ON f.first_week <= w.week_start
LEFT JOIN by_cohort AS b ON f.grain = b.grain AND f.cohort = b.cohort AND w.week_start = b.week_start
ORDER BY f.months, f.cohort_index NULLS FIRST, w.week_start
