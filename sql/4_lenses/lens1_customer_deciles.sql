-- One row per customer decile of the window that ends at $as_of: a tenth of its active customers by profit.
--
-- With fewer than ten customers some deciles are empty and have no row. lowest_profit is the threshold to the
-- next decile.
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
WHERE kind = 'customer'
ORDER BY decile
