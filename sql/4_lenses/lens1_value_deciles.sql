-- One row per value decile of the window that ends at $as_of: the customers, best first, who bring a tenth of
-- its profit.
--
-- A decile that a single customer fills and passes leaves the next ones empty, without a row. lowest_profit is
-- the threshold to the next decile. No row at all where the window made no profit.
SELECT
    as_of,
    decile,
    customers,
    orders,
    spend,
    profit,
    share_customers,
    share_orders,
    share_spend,
    share_profit,
    profit_per_customer,
    aof,
    aov,
    margin,
    highest_profit,
    lowest_profit
FROM lenses.deciles
WHERE kind = 'value'
ORDER BY decile
