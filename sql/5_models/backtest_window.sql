-- What each customer did in the months after $from_month, up to $to_month: purchase days and spend after returns.
SELECT
    customer_id,
    CAST(SUM(order_days) AS BIGINT) AS purchases,
    CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend
FROM marts.customer_periods
WHERE period > $from_month AND period <= $to_month
GROUP BY customer_id
