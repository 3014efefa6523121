-- How the water temperatures of two gauges are related: the number of pairs of good values at the same time, the
-- slope of the line through them, and the square of the correlation.
WITH pairs(x, y) AS (SELECT max(CASE mote WHEN 'USGS-02336300' THEN value END),
                            max(CASE mote WHEN 'USGS-02337170' THEN value END)
                     FROM readable
                     WHERE mote IN ('USGS-02336300', 'USGS-02337170')
                       AND property = 'water-temperature' AND quality = 'good'
                     GROUP BY time
                     HAVING count(DISTINCT mote) = 2),
     sums AS (SELECT count(*) AS pairs, count(*) * sum(x * y) - sum(x) * sum(y) AS xy,
                     count(*) * sum(x * x) - sum(x) * sum(x) AS xx, count(*) * sum(y * y) - sum(y) * sum(y) AS yy
              FROM pairs)
SELECT pairs, xy / xx AS slope, xy * xy / xx / yy AS r2
FROM sums;
