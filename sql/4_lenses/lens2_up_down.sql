-- One row per combination of what went up from window 1 to window 2 (else it fell or stayed), always 16: the
-- customers active in both windows by the direction of their profit, orders, spend per order and margin.
--
-- Compared across (spend_2 x orders_1 > spend_1 x orders_2), as a division would round. A margin is up only where
-- both are defined: none is at zero spend. Without any known cost ($has_costs) it is the configured one in both
-- windows, and what little it moves is the rounding of profit to cents: not up.
WITH directions AS (
    SELECT
        profit_2 > profit_1 AS profit_up,
        orders_2 > orders_1 AS orders_up,
        spend_2 * orders_1 > spend_1 * orders_2 AS spend_per_order_up,
        CASE
            WHEN NOT $has_costs OR spend_1 = 0 OR spend_2 = 0 THEN FALSE
            WHEN (spend_1 > 0) = (spend_2 > 0) THEN profit_2 * spend_1 > profit_1 * spend_2
            ELSE profit_2 * spend_1 < profit_1 * spend_2
        END AS margin_up,
        profit_1,
        profit_2
    FROM lenses.window_customers
    WHERE orders_1 > 0 AND orders_2 > 0
),

sums AS (
    SELECT
        profit_up,
        orders_up,
        spend_per_order_up,
        margin_up,
        COUNT(*) AS customers,
        SUM(profit_1) AS profit_1,
        SUM(profit_2) AS profit_2
    FROM directions
    GROUP BY profit_up, orders_up, spend_per_order_up, margin_up
),

answers AS (
    SELECT TRUE AS is_up
    UNION ALL
    SELECT FALSE AS is_up
),

filled AS (
    SELECT
        p.is_up AS profit_up,
        o.is_up AS orders_up,
        a.is_up AS spend_per_order_up,
        m.is_up AS margin_up,
        COALESCE(s.customers, 0) AS customers,
        COALESCE(s.profit_1, 0) AS profit_1,
        COALESCE(s.profit_2, 0) AS profit_2
    FROM answers AS p
    CROSS JOIN answers AS o
    CROSS JOIN answers AS a
    CROSS JOIN answers AS m
    LEFT JOIN sums AS s
        ON
            p.is_up = s.profit_up
            AND o.is_up = s.orders_up
            AND a.is_up = s.spend_per_order_up
            AND m.is_up = s.margin_up
)

SELECT
    $as_of AS as_of,
    profit_up,
    orders_up,
    spend_per_order_up,
    margin_up,
    customers,
    CAST(customers AS DOUBLE) / NULLIF(CAST(SUM(customers) OVER () AS DOUBLE), 0) AS share_customers,
    CAST(profit_1 AS DECIMAL(18, 2)) AS profit_1,
    CAST(profit_2 AS DECIMAL(18, 2)) AS profit_2,
    CAST(profit_2 - profit_1 AS DECIMAL(18, 2)) AS profit_change
FROM filled
ORDER BY profit_up DESC, orders_up DESC, spend_per_order_up DESC, margin_up DESC
