-- One row per grain, behavioural cohort and calendar period since the data start, gaps as zeros: lens 4 aligned by
-- calendar, and the C3 table of lens 5, by what customers are rather than by when they were acquired.
--
-- The cohorts of a period add up to lens5_periods. acquired: the cohort's customers acquired in the period.
-- repeat_buying_rate: of those active in the period before, the share active in this one. Cohort 'unknown' has the
-- returns of customers without an order, too. No row without $cohort_by.
WITH spans AS (
    SELECT months, MIN(calendar_index) AS first_index
    FROM lenses.cohort_cells
    WHERE $cohort_by IS NOT NULL
    GROUP BY months
),

cells AS (
    SELECT
        c.months,
        COALESCE(b.cohort, 'unknown') AS cohort,
        c.customer_no,
        c.calendar_index,
        c.orders,
        c.spend,
        c.profit
    FROM lenses.customer_cells AS c
    LEFT JOIN lenses.behaviours AS b ON c.customer_no = b.customer_no
),

sums AS (
    SELECT
        months,
        cohort,
        calendar_index,
        COUNT(*) FILTER (WHERE orders > 0) AS active,
        SUM(orders) AS orders,
        SUM(spend) AS spend,
        SUM(profit) AS profit
    FROM cells
    GROUP BY months, cohort, calendar_index
),

again AS (
    SELECT b.months, b.cohort, b.calendar_index, COUNT(*) AS active_again
    FROM cells AS a
    INNER JOIN cells AS b
        ON a.months = b.months AND a.customer_no = b.customer_no AND a.calendar_index + a.months = b.calendar_index
    WHERE a.orders > 0 AND b.orders > 0
    GROUP BY b.months, b.cohort, b.calendar_index
),

acquisitions AS (
    SELECT s.months, b.cohort, m.acquired_month - m.acquired_month % s.months AS calendar_index, COUNT(*) AS acquired
    FROM lenses.behaviours AS b
    INNER JOIN lenses.members AS m ON b.customer_no = m.customer_no
    CROSS JOIN spans AS s
    WHERE m.acquired_month IS NOT NULL
    GROUP BY 1, 2, 3
),

filled AS (
    SELECT
        k.grain,
        k.months,
        h.cohort,
        k.calendar_index,
        k.calendar_period,
        k.complete,
        CAST(COALESCE(q.acquired, 0) AS BIGINT) AS acquired,
        CAST(COALESCE(s.active, 0) AS BIGINT) AS active,
        CAST(COALESCE(s.orders, 0) AS BIGINT) AS orders,
        CAST(COALESCE(s.spend, 0) AS DECIMAL(18, 2)) AS spend,
        CAST(COALESCE(s.profit, 0) AS DECIMAL(18, 2)) AS profit,
        CAST(COALESCE(a.active_again, 0) AS BIGINT) AS active_again,
        LAG(COALESCE(s.active, 0)) OVER (PARTITION BY k.months, h.cohort ORDER BY k.calendar_index) AS active_before
    FROM spans AS p
    INNER JOIN lenses.calendar AS k ON p.months = k.months AND p.first_index <= k.calendar_index
    INNER JOIN (SELECT DISTINCT months, cohort FROM cells) AS h ON p.months = h.months
    LEFT JOIN sums AS s ON k.months = s.months AND h.cohort = s.cohort AND k.calendar_index = s.calendar_index
    LEFT JOIN again AS a ON k.months = a.months AND h.cohort = a.cohort AND k.calendar_index = a.calendar_index
    LEFT JOIN acquisitions AS q ON k.months = q.months AND h.cohort = q.cohort AND k.calendar_index = q.calendar_index
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
    CAST(active_again AS DOUBLE) / NULLIF(CAST(active_before AS DOUBLE), 0) AS repeat_buying_rate
FROM filled
WINDOW everybody AS (PARTITION BY months, calendar_index)
ORDER BY months, cohort, calendar_index
