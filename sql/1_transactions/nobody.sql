-- No row: the customers who may not be shown, before any were landed.
SELECT CAST(NULL AS VARCHAR) AS customer_id, CAST(NULL AS VARCHAR) AS reason
WHERE FALSE
