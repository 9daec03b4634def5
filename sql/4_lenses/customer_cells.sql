-- One row per grain, customer and calendar period with an order or a return of the customer.
--
-- cohort_index is the first month of the cohort, null for 'before <data start>'. That cohort also takes returns
-- dated before their customer's cohort starts, or of customers without an order: what they undo was bought
-- before the data starts. again: active in the period, and in the one before it.
WITH grains AS (
    SELECT DISTINCT months FROM lenses.calendar
),

summed AS (
    SELECT
        g.months,
        m.customer_no,
        m.acquired_month - m.acquired_month % g.months AS cohort_index,
        m.month_index - m.month_index % g.months AS calendar_index,
        CAST(SUM(m.orders) AS BIGINT) AS orders,
        CAST(SUM(m.spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(m.profit) AS DECIMAL(18, 2)) AS profit
    FROM lenses.customer_months AS m
    CROSS JOIN grains AS g
    GROUP BY 1, 2, 3, 4
)

SELECT
    months,
    customer_no,
    CASE WHEN calendar_index >= cohort_index THEN cohort_index END AS cohort_index,
    calendar_index,
    orders,
    spend,
    profit,
    orders > 0
    AND COALESCE(LAG(orders) OVER previous, 0) > 0
    AND LAG(calendar_index) OVER previous = calendar_index - months AS again
FROM summed
WINDOW previous AS (PARTITION BY months, customer_no ORDER BY calendar_index)
