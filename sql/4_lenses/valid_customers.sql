-- One row per customer of a source with history: the version that held at the end of the as-of month.
SELECT *
FROM landing.customers
WHERE (valid_from IS NULL OR CAST(valid_from AS DATE) <= $as_of_end)
    AND (valid_to IS NULL OR CAST(valid_to AS DATE) > $as_of_end)
