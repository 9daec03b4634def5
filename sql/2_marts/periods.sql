-- One row: the company's month $period, every line counted, also those without a customer.
--
-- customers are those with an order. returned is what belongs to no order, with or without a customer, so
-- spend = spend of the orders + returned, and spend = spend of customer_periods + spend_without_customer.
WITH line_totals AS (
    SELECT
        COUNT(*) AS lines,
        CAST(COALESCE(SUM(line_total), 0) AS DECIMAL(18, 2)) AS spend,
        CAST(
            COALESCE(
                SUM(
                    CASE
                        WHEN line_cost IS NOT NULL THEN CAST(line_total - line_cost AS DECIMAL(18, 2))
                        ELSE CAST(ROUND(line_total * CAST($margin AS DECIMAL(19, 6)), 2) AS DECIMAL(18, 2))
                    END
                ),
                0
            ) AS DECIMAL(18, 2)
        ) AS profit,
        CAST(COALESCE(SUM(quantity), 0) AS DECIMAL(18, 3)) AS quantity,
        COUNT(*) FILTER (WHERE customer_id IS NULL) AS lines_without_customer,
        CAST(
            COALESCE(SUM(line_total) FILTER (WHERE customer_id IS NULL), 0) AS DECIMAL(18, 2)
        ) AS spend_without_customer
    FROM transactions.lines
),

order_totals AS (
    SELECT COUNT(*) AS orders, CAST(COALESCE(SUM(spend), 0) AS DECIMAL(18, 2)) AS spend
    FROM marts.orders
    WHERE period = $period
),

customer_totals AS (
    SELECT COUNT(*) AS customers
    FROM marts.customer_periods
    WHERE period = $period AND orders > 0
)

SELECT
    $period AS period,
    l.lines,
    o.orders,
    c.customers,
    l.spend,
    l.profit,
    l.quantity,
    l.lines_without_customer,
    l.spend_without_customer,
    CAST(l.spend - o.spend AS DECIMAL(18, 2)) AS returned
FROM line_totals AS l
CROSS JOIN order_totals AS o
CROSS JOIN customer_totals AS c
