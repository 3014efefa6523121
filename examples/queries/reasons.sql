-- How often each quality test finds values of each property suspect or failed, by the newest flags.
WITH flags(property, test, flag) AS (
    SELECT property, 'gross range', gross_range FROM readable UNION ALL
    SELECT property, 'climatology', climatology FROM readable UNION ALL
    SELECT property, 'spike', spike FROM readable UNION ALL
    SELECT property, 'rate of change', rate_of_change FROM readable UNION ALL
    SELECT property, 'flat line', flat_line FROM readable)
SELECT property, test, sum(flag = 3) AS suspect, sum(flag = 4) AS fail
FROM flags
WHERE flag IN (3, 4)
GROUP BY property, test
ORDER BY property, test;
