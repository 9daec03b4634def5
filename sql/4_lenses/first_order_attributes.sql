-- One row per customer and wanted column of the transactions: its value on the customer's first order.
--
-- The first order lies in the month of first_order, so that no other month of marts.first_orders counts.
SELECT f.customer_id, f.attribute, f.value
FROM marts.first_orders AS f
INNER JOIN marts.customers AS c ON f.customer_id = c.customer_id AND f.period = STRFTIME(c.first_order, '%Y-%m')
