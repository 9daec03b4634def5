-- One row per order of a known customer: its number among the customer's orders in time, and days since the one
-- before.
--
-- Orders of one day count one by one: the second may come 0 days after the first. Customers acquired before
-- $data_start have orders nobody has seen, so theirs have no number.
WITH dated AS (
    SELECT
        m.customer_no,
        m.acquired_month,
        m.acquired_day,
        o.order_ts,
        o.order_id,
        CAST(o.order_ts AS DATE) AS order_day,
        o.spend
    FROM marts.orders AS o
    INNER JOIN lenses.members AS m ON o.customer_id = m.customer_id
)

SELECT
    customer_no,
    acquired_month,
    acquired_day,
    order_day,
    spend,
    CASE
        WHEN acquired_month IS NOT NULL
            THEN ROW_NUMBER() OVER (PARTITION BY customer_no ORDER BY order_ts, order_id)
    END AS order_number,
    CASE
        WHEN acquired_month IS NOT NULL
            THEN DATE_DIFF('day', LAG(order_day) OVER (PARTITION BY customer_no ORDER BY order_ts, order_id), order_day)
    END AS days_since_previous
FROM dated
