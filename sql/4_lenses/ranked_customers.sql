-- One row per customer active in window 2: its tenth of the customers, and its tenth of their profit.
--
-- Customers by profit, largest first, ties by customer_id. Customer decile = floor(10 (rank - 1) / N) + 1.
-- Value deciles are cut where the cumulated profit passes a tenth of all: the profit of the customer who passes it is
-- the threshold, and who earned more lies above it. So customers of equal profit share a decile, which is
-- ceil(10 x profit of all who earned as much or more / all profit). Once all profit is reached, losses being still to
-- come, it stays 10. Without a positive total there is nothing to cut: null.
WITH ranked AS (
    SELECT
        orders_2 AS orders,
        spend_2 AS spend,
        profit_2 AS profit,
        ROW_NUMBER() OVER (ORDER BY profit_2 DESC, customer_id) AS profit_rank,
        SUM(profit_2) OVER (
            ORDER BY profit_2 DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS profit_so_far,
        COUNT(*) OVER () AS all_customers,
        SUM(profit_2) OVER () AS all_profit
    FROM lenses.window_customers
    WHERE orders_2 > 0
)

SELECT
    orders,
    spend,
    profit,
    CAST(FLOOR(CAST(10 * (profit_rank - 1) AS DOUBLE) / all_customers) AS BIGINT) + 1 AS customer_decile,
    -- In cents, as whole numbers are divided exactly.
    CASE
        WHEN all_profit > 0 AND profit > 0
            THEN LEAST(
                CAST(CEIL(CAST(1000 * profit_so_far AS DOUBLE) / CAST(100 * all_profit AS DOUBLE)) AS BIGINT),
                CAST(10 AS BIGINT)
            )
        WHEN all_profit > 0 THEN CAST(10 AS BIGINT)
    END AS value_decile
FROM ranked
