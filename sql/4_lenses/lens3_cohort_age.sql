-- One row per cohort and age (in periods of $cohort_months months), from acquisition to the period of $as_of,
-- gaps as zeros.
--
-- cohort_size x pct_active x aof x aov = spend wherever somebody was active. spend and profit hold the
-- returns of customers who did not order in the period, so that cumulative profit is right: all cohorts of a
-- calendar period add up to the spend and profit of marts.customer_periods. The cohort 'before <data start>'
-- has no known size, hence no pct_active and nothing per acquired customer; its age counts from the data
-- start. It also takes returns dated before their customer's cohort starts, or of customers without an order:
-- what they undo was bought before the data starts.
WITH as_of_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - 1 AS month
),

digits AS (
    SELECT digit
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (digit)
),

calendar_months AS (
    -- Counted back from the as-of, not read from the data, for a period without a single row must appear too.
    SELECT
        a.month - a.month % $cohort_months - $cohort_months * (100 * h.digit + 10 * t.digit + u.digit) AS first_month,
        h.digit + t.digit + u.digit > 0
        OR (
            (a.month + 1) % $cohort_months = 0 AND STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of
        ) AS complete
    FROM as_of_month AS a
    CROSS JOIN digits AS h
    CROSS JOIN digits AS t
    CROSS JOIN digits AS u
),

calendar_parts AS (
    SELECT
        complete,
        LPAD(CAST(CAST(FLOOR(CAST(first_month AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0') AS year_label,
        LPAD(CAST(first_month % 12 + 1 AS VARCHAR), 2, '0') AS month_label,
        CAST(CAST(FLOOR(CAST(first_month % 12 AS DOUBLE) / 3) AS BIGINT) + 1 AS VARCHAR) AS quarter_label
    FROM calendar_months
    WHERE first_month >= 0
),

calendar AS (
    SELECT
        complete,
        CONCAT(year_label, '-', month_label) AS calendar_start,
        CASE
            WHEN $cohort_months = 12 THEN year_label
            WHEN $cohort_months = 3 THEN CONCAT(year_label, 'Q', quarter_label)
            ELSE CONCAT(year_label, '-', month_label)
        END AS calendar_period
    FROM calendar_parts
),

months AS (
    SELECT p.period, MAX(c.calendar_start) AS calendar_start
    FROM (SELECT DISTINCT period FROM marts.customer_periods) AS p
    INNER JOIN calendar AS c ON p.period >= c.calendar_start
    GROUP BY p.period
),

by_customer AS (
    SELECT
        p.customer_id,
        m.calendar_start,
        SUM(p.orders) AS orders,
        SUM(p.spend) AS spend,
        SUM(p.profit) AS profit
    FROM marts.customer_periods AS p
    INNER JOIN months AS m ON p.period = m.period
    GROUP BY p.customer_id, m.calendar_start
),

by_cohort AS (
    SELECT
        CASE WHEN b.calendar_start >= c.cohort_start THEN c.cohort_start END AS cohort_start,
        b.calendar_start,
        COUNT(*) FILTER (WHERE b.orders > 0) AS active,
        SUM(b.orders) AS orders,
        SUM(b.spend) AS spend,
        SUM(b.profit) AS profit
    FROM by_customer AS b
    LEFT JOIN marts.customers AS c ON b.customer_id = c.customer_id
    GROUP BY 1, 2
),

sizes AS (
    SELECT cohort_start, COUNT(*) AS cohort_size
    FROM marts.customers
    WHERE cohort_start IS NOT NULL
    GROUP BY cohort_start
),

cohorts AS (
    SELECT c.calendar_period AS cohort, s.cohort_start, s.cohort_size, s.cohort_start AS first_calendar_start
    FROM sizes AS s
    INNER JOIN calendar AS c ON s.cohort_start = c.calendar_start
    UNION ALL
    SELECT
        CONCAT('before ', $data_start) AS cohort,
        CAST(NULL AS VARCHAR) AS cohort_start,
        CAST(NULL AS BIGINT) AS cohort_size,
        MAX(c.calendar_start) AS first_calendar_start
    FROM calendar AS c
    WHERE c.calendar_start <= $data_start AND EXISTS (SELECT 1 FROM by_cohort WHERE cohort_start IS NULL)
    HAVING COUNT(*) > 0
),

cells AS (
    SELECT
        h.cohort,
        h.cohort_start,
        h.cohort_size,
        ROW_NUMBER() OVER (PARTITION BY h.cohort ORDER BY c.calendar_start) - 1 AS age,
        c.calendar_period,
        c.complete,
        CAST(COALESCE(b.active, 0) AS BIGINT) AS active,
        CAST(COALESCE(b.orders, 0) AS BIGINT) AS orders,
        CAST(COALESCE(b.spend, 0) AS DECIMAL(18, 2)) AS spend,
        CAST(COALESCE(b.profit, 0) AS DECIMAL(18, 2)) AS profit
    FROM cohorts AS h
    INNER JOIN calendar AS c ON h.first_calendar_start <= c.calendar_start
    LEFT JOIN by_cohort AS b
        ON c.calendar_start = b.calendar_start AND COALESCE(h.cohort_start, '') = COALESCE(b.cohort_start, '')
)

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
FROM cells
ORDER BY cohort_start NULLS FIRST, age
