-- One row per grain, behavioural cohort and calendar period since the data start, gaps as zeros: as cohort_cells has it
-- for cohorts by acquisition. Cohort 'unknown' has the returns of customers without an order, too. No row without
-- $cohort_by.
WITH spans AS (
    SELECT months, MIN(calendar_index) AS first_index
    FROM lenses.cohort_cells
    WHERE $cohort_by IS NOT NULL
    GROUP BY months
),

sums AS (
    SELECT
        c.months,
        COALESCE(b.cohort, 'unknown') AS cohort,
        c.calendar_index,
        COUNT(*) FILTER (WHERE c.orders > 0) AS active,
        COUNT(*) FILTER (WHERE c.again) AS active_again,
        SUM(c.orders) AS orders,
        SUM(c.spend) AS spend,
        SUM(c.profit) AS profit
    FROM lenses.customer_cells AS c
    LEFT JOIN lenses.behaviours AS b ON c.customer_no = b.customer_no
    GROUP BY 1, 2, 3
),

acquisitions AS (
    SELECT s.months, b.cohort, m.acquired_month - m.acquired_month % s.months AS calendar_index, COUNT(*) AS acquired
    FROM lenses.behaviours AS b
    INNER JOIN lenses.members AS m ON b.customer_no = m.customer_no
    CROSS JOIN spans AS s
    WHERE m.acquired_month IS NOT NULL
    GROUP BY 1, 2, 3
)

SELECT
    k.grain,
    k.months,
    h.cohort,
    k.calendar_index,
    k.calendar_period,
    k.complete,
    COALESCE(q.acquired, 0) AS acquired,
    COALESCE(s.active, 0) AS active,
    COALESCE(s.active_again, 0) AS active_again,
    CAST(COALESCE(s.orders, 0) AS BIGINT) AS orders,
    CAST(COALESCE(s.spend, 0) AS DECIMAL(18, 2)) AS spend,
    CAST(COALESCE(s.profit, 0) AS DECIMAL(18, 2)) AS profit
FROM spans AS p
INNER JOIN lenses.calendar AS k ON p.months = k.months AND p.first_index <= k.calendar_index
INNER JOIN (SELECT DISTINCT months, cohort FROM sums) AS h ON p.months = h.months
LEFT JOIN sums AS s ON k.months = s.months AND h.cohort = s.cohort AND k.calendar_index = s.calendar_index
LEFT JOIN acquisitions AS q ON k.months = q.months AND h.cohort = q.cohort AND k.calendar_index = q.calendar_index
