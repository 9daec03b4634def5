-- One row per combination of directions (up, same, down) that occurs: the customers active in both windows by where
-- their profit, orders, spend per order and margin went from window 1 to window 2.
--
-- Compared across (spend_2 x orders_1 with spend_1 x orders_2), as a division would round. A margin at zero spend is
-- undefined. Without any known cost ($has_costs) it is the configured one in both windows, and what little it moves is
-- the rounding of profit to cents: same. DECIMAL(19, 2) makes the products 37 digits wide: a customer who spends ten
-- million would overflow 18. pattern has a letter for profit, orders, spend per order and margin each: U
-- for as much as before or more, D for less or undefined.
WITH compared AS (
    SELECT
        SIGN(profit_2 - profit_1) AS profit_sign,
        SIGN(orders_2 - orders_1) AS orders_sign,
        SIGN(spend_2 * orders_1 - spend_1 * orders_2) AS spend_per_order_sign,
        CASE
            WHEN spend_1 = 0 OR spend_2 = 0 THEN NULL
            WHEN NOT $has_costs THEN 0
            ELSE
                SIGN(CAST(profit_2 AS DECIMAL(19, 2)) * spend_1 - CAST(profit_1 AS DECIMAL(19, 2)) * spend_2)
                * SIGN(spend_1) * SIGN(spend_2)
        END AS margin_sign,
        profit_1,
        profit_2
    FROM lenses.window_customers
    WHERE orders_1 > 0 AND orders_2 > 0
),

sums AS (
    SELECT
        profit_sign,
        orders_sign,
        spend_per_order_sign,
        margin_sign,
        COUNT(*) AS customers,
        SUM(profit_1) AS profit_1,
        SUM(profit_2) AS profit_2
    FROM compared
    GROUP BY profit_sign, orders_sign, spend_per_order_sign, margin_sign
)

SELECT
    $as_of AS as_of,
    CASE profit_sign WHEN 1 THEN 'up' WHEN 0 THEN 'same' ELSE 'down' END AS profit_direction,
    CASE orders_sign WHEN 1 THEN 'up' WHEN 0 THEN 'same' ELSE 'down' END AS orders_direction,
    CASE spend_per_order_sign WHEN 1 THEN 'up' WHEN 0 THEN 'same' ELSE 'down' END AS spend_per_order_direction,
    CASE margin_sign
        WHEN 1 THEN 'up' WHEN 0 THEN 'same' WHEN -1 THEN 'down' ELSE 'undefined'
    END AS margin_direction,
    CONCAT(
        CASE WHEN profit_sign >= 0 THEN 'U' ELSE 'D' END,
        CASE WHEN orders_sign >= 0 THEN 'U' ELSE 'D' END,
        CASE WHEN spend_per_order_sign >= 0 THEN 'U' ELSE 'D' END,
        CASE WHEN margin_sign >= 0 THEN 'U' ELSE 'D' END
    ) AS pattern,
    customers,
    CAST(customers AS DOUBLE) / CAST(SUM(customers) OVER () AS DOUBLE) AS share_customers,
    CAST(profit_1 AS DECIMAL(18, 2)) AS profit_1,
    CAST(profit_2 AS DECIMAL(18, 2)) AS profit_2,
    CAST(profit_2 - profit_1 AS DECIMAL(18, 2)) AS profit_change
FROM sums
ORDER BY
    profit_sign DESC, orders_sign DESC, spend_per_order_sign DESC, COALESCE(margin_sign, -2) DESC
