-- One row per customer with an order, numbered: customer_no in the order of the ids, shuffled_no in one that
-- depends on nothing but the ids.
--
-- acquired_month counts months from year 0; it is null for customers acquired before $data_start.
SELECT
    customer_id,
    ROW_NUMBER() OVER (ORDER BY customer_id) AS customer_no,
    ROW_NUMBER() OVER (ORDER BY MD5(customer_id), customer_id) AS shuffled_no,
    CASE
        WHEN NOT acquired_before_data
            THEN CAST(EXTRACT(YEAR FROM acquisition_ts) AS BIGINT) * 12
                + CAST(EXTRACT(MONTH FROM acquisition_ts) AS BIGINT) - 1
    END AS acquired_month,
    CASE WHEN NOT acquired_before_data THEN CAST(acquisition_ts AS DATE) END AS acquired_day
FROM marts.customers
