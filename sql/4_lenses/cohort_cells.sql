-- One row per grain, cohort and calendar period from acquisition (or the data start) to $as_of, gaps as zeros.
--
-- All cohorts of a calendar period add up to the orders, spend and profit of marts.customer_periods. spend and
-- profit hold the returns of customers who did not order in the period. second_orders counts the customers
-- whose second order was placed in the period; acquired: the cohort's size in the period of its acquisition;
-- active_again: of those active in the period before, how many in this one.
WITH summed AS (
    SELECT
        months,
        COALESCE(cohort_index, -1) AS cohort_key,
        calendar_index,
        COUNT(*) FILTER (WHERE orders > 0) AS active,
        COUNT(*) FILTER (WHERE again) AS active_again,
        SUM(orders) AS orders,
        SUM(spend) AS spend,
        SUM(profit) AS profit
    FROM lenses.customer_cells
    GROUP BY 1, 2, 3
),

second_months AS (
    SELECT
        acquired_month,
        CAST(EXTRACT(YEAR FROM order_day) AS BIGINT) * 12
        + CAST(EXTRACT(MONTH FROM order_day) AS BIGINT) - 1 AS month_index,
        COUNT(*) AS second_orders
    FROM lenses.numbered_orders
    WHERE order_number = 2
    GROUP BY 1, 2
),

seconds AS (
    SELECT
        g.months,
        s.acquired_month - s.acquired_month % g.months AS cohort_key,
        s.month_index - s.month_index % g.months AS calendar_index,
        SUM(s.second_orders) AS second_orders
    FROM second_months AS s
    CROSS JOIN (SELECT DISTINCT months FROM lenses.calendar) AS g
    GROUP BY 1, 2, 3
)

SELECT
    h.grain,
    h.months,
    h.cohort,
    h.cohort_index,
    h.cohort_start,
    h.cohort_size,
    CAST(FLOOR(CAST(c.calendar_index - h.first_index AS DOUBLE) / h.months) AS BIGINT) AS age,
    c.calendar_index,
    c.calendar_period,
    c.complete,
    CASE WHEN c.calendar_index = h.cohort_index THEN h.cohort_size ELSE 0 END AS acquired,
    CAST(COALESCE(s.active, 0) AS BIGINT) AS active,
    CAST(COALESCE(s.active_again, 0) AS BIGINT) AS active_again,
    CAST(COALESCE(s.orders, 0) AS BIGINT) AS orders,
    CAST(COALESCE(s.spend, 0) AS DECIMAL(18, 2)) AS spend,
    CAST(COALESCE(s.profit, 0) AS DECIMAL(18, 2)) AS profit,
    CAST(COALESCE(n.second_orders, 0) AS BIGINT) AS second_orders
FROM lenses.cohorts AS h
INNER JOIN lenses.calendar AS c ON h.months = c.months AND h.first_index <= c.calendar_index
LEFT JOIN summed AS s
    ON h.months = s.months AND COALESCE(h.cohort_index, -1) = s.cohort_key AND c.calendar_index = s.calendar_index
LEFT JOIN seconds AS n
    ON h.months = n.months AND h.cohort_index = n.cohort_key AND c.calendar_index = n.calendar_index
