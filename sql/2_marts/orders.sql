-- One row per order: (period, order_id, customer_id), from the lines of the months at hand.
--
-- Return lines reduce the order they name when it has a purchase line in the same month. A return of an order
-- that is unknown in the month, and an order whose returns reach its purchases, is no order: customer_periods
-- keeps the amount. An order of zero spend without a return line is an order. Profit is the line's total less
-- its cost where the cost is known, else $margin of it, half up, line by line.
WITH products AS (
    -- Grouping by product first makes the distinct count a plain count: the distinct count was most of the cost.
    SELECT
        period,
        order_id,
        customer_id,
        product_id,
        MIN(order_ts) FILTER (WHERE NOT is_return) AS order_ts,
        SUM(line_total) AS spend,
        SUM(
            CASE
                WHEN line_cost IS NOT NULL THEN CAST(line_total - line_cost AS DECIMAL(18, 2))
                ELSE CAST(ROUND(line_total * CAST($margin AS DECIMAL(19, 6)), 2) AS DECIMAL(18, 2))
            END
        ) AS profit,
        SUM(quantity) AS quantity,
        COUNT(*) AS lines,
        MAX(CASE WHEN is_return THEN 1 ELSE 0 END) AS has_return
    FROM transactions.lines
    GROUP BY period, order_id, customer_id, product_id
)

SELECT
    period,
    order_id,
    customer_id,
    MIN(order_ts) AS order_ts,
    CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
    CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
    CAST(SUM(quantity) AS DECIMAL(18, 3)) AS quantity,
    COUNT(product_id) AS products,
    CAST(SUM(lines) AS BIGINT) AS lines
FROM products
GROUP BY period, order_id, customer_id
HAVING MIN(order_ts) IS NOT NULL AND (MAX(has_return) = 0 OR SUM(spend) > 0)
