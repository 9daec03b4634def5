-- One row per customer, month and column of marts.line_attributes: its value on the customer's first order of the month.
--
-- The order is the first by time, then id. Where its purchase lines differ, the first by line id that has a value
-- counts; value is null where none has one.
WITH first_orders AS (
    SELECT period, customer_id, order_id
    FROM marts.orders
    WHERE customer_id IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (PARTITION BY period, customer_id ORDER BY order_ts, order_id) = 1
),

valued AS (
    SELECT
        l.period,
        l.customer_id,
        l.attribute,
        l.value,
        ROW_NUMBER() OVER (
            PARTITION BY l.period, l.customer_id, l.attribute
            ORDER BY CASE WHEN l.value IS NULL THEN 1 ELSE 0 END, l.line_id, l.value
        ) AS place
    FROM marts.line_attributes AS l
    INNER JOIN first_orders AS f
        ON l.period = f.period AND l.customer_id = f.customer_id AND l.order_id = f.order_id
)

SELECT period, customer_id, attribute, value
FROM valued
WHERE place = 1
