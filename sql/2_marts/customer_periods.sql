-- One row per customer and month: the sums of the customer's orders in the month, and of the returns
-- that belong to no order. A customer with only such returns has a row with orders = 0 and no first or last
-- order.
--
-- returned is what belongs to no order, and part of spend: spend of the orders + returned = spend.
-- first_day_spend is the spend of the orders on the customer's first order day of the month.
WITH returned_orders AS (
    SELECT DISTINCT period, order_id, customer_id
    FROM transactions.lines
    WHERE is_return AND customer_id IS NOT NULL
),

refused AS (
    -- Only what has a return line can have been refused as an order, so the other lines need no second look.
    SELECT r.period, r.order_id, r.customer_id
    FROM returned_orders AS r
    LEFT JOIN marts.orders AS o
        ON r.period = o.period AND r.order_id = o.order_id AND r.customer_id = o.customer_id
    WHERE o.order_id IS NULL
),

unattached AS (
    SELECT
        l.period,
        l.customer_id,
        SUM(l.line_total) AS spend,
        SUM(
            CASE
                WHEN l.line_cost IS NOT NULL THEN CAST(l.line_total - l.line_cost AS DECIMAL(18, 2))
                ELSE CAST(ROUND(l.line_total * CAST($margin AS DECIMAL(19, 6)), 2) AS DECIMAL(18, 2))
            END
        ) AS profit,
        SUM(l.quantity) AS quantity
    FROM transactions.lines AS l
    INNER JOIN refused AS r
        ON l.period = r.period AND l.order_id = r.order_id AND l.customer_id = r.customer_id
    GROUP BY l.period, l.customer_id
),

days AS (
    SELECT
        period,
        customer_id,
        CAST(order_ts AS DATE) AS order_day,
        COUNT(*) AS orders,
        SUM(spend) AS spend,
        SUM(profit) AS profit,
        SUM(quantity) AS quantity,
        MIN(order_ts) AS first_order,
        MAX(order_ts) AS last_order,
        CAST(0 AS DECIMAL(18, 2)) AS returned
    FROM marts.orders
    WHERE customer_id IS NOT NULL
    GROUP BY period, customer_id, CAST(order_ts AS DATE)
    UNION ALL
    SELECT
        period,
        customer_id,
        CAST(NULL AS DATE) AS order_day,
        0 AS orders,
        spend,
        profit,
        quantity,
        CAST(NULL AS TIMESTAMP) AS first_order,
        CAST(NULL AS TIMESTAMP) AS last_order,
        spend AS returned
    FROM unattached
)

SELECT
    period,
    customer_id,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
    CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
    CAST(SUM(quantity) AS DECIMAL(18, 3)) AS quantity,
    COUNT(order_day) AS order_days,
    MIN(first_order) AS first_order,
    MAX(last_order) AS last_order,
    CAST(MIN_BY(spend, order_day) FILTER (WHERE order_day IS NOT NULL) AS DECIMAL(18, 2)) AS first_day_spend,
    CAST(SUM(returned) AS DECIMAL(18, 2)) AS returned
FROM days
GROUP BY period, customer_id
