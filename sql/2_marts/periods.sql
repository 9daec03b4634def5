-- One row per month of marts.months: the company's month, every line counted, also those without a customer.
--
-- customers are those with an order. returned is what belongs to no order, with or without a customer, so
-- spend = spend of the orders + returned, and spend = spend of customer_periods + spend_without_customer.
WITH line_totals AS (
    SELECT
        period,
        COUNT(*) AS lines,
        SUM(line_total) AS spend,
        SUM(
            CASE
                WHEN line_cost IS NOT NULL THEN CAST(line_total - line_cost AS DECIMAL(18, 2))
                ELSE CAST(ROUND(line_total * CAST($margin AS DECIMAL(19, 6)), 2) AS DECIMAL(18, 2))
            END
        ) AS profit,
        SUM(quantity) AS quantity,
        COUNT(*) FILTER (WHERE customer_id IS NULL) AS lines_without_customer,
        SUM(line_total) FILTER (WHERE customer_id IS NULL) AS spend_without_customer
    FROM transactions.lines
    GROUP BY period
),

order_totals AS (
    SELECT period, COUNT(*) AS orders, SUM(spend) AS spend
    FROM marts.orders
    GROUP BY period
),

customer_totals AS (
    SELECT period, COUNT(*) AS customers
    FROM marts.customer_periods
    WHERE orders > 0
    GROUP BY period
)

SELECT
    m.period,
    COALESCE(l.lines, 0) AS lines,
    COALESCE(o.orders, 0) AS orders,
    COALESCE(c.customers, 0) AS customers,
    CAST(COALESCE(l.spend, 0) AS DECIMAL(18, 2)) AS spend,
    CAST(COALESCE(l.profit, 0) AS DECIMAL(18, 2)) AS profit,
    CAST(COALESCE(l.quantity, 0) AS DECIMAL(18, 3)) AS quantity,
    COALESCE(l.lines_without_customer, 0) AS lines_without_customer,
    CAST(COALESCE(l.spend_without_customer, 0) AS DECIMAL(18, 2)) AS spend_without_customer,
    CAST(COALESCE(l.spend, 0) - COALESCE(o.spend, 0) AS DECIMAL(18, 2)) AS returned
FROM marts.months AS m
LEFT JOIN line_totals AS l ON m.period = l.period
LEFT JOIN order_totals AS o ON m.period = o.period
LEFT JOIN customer_totals AS c ON m.period = c.period
