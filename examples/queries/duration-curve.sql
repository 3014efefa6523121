-- The duration curve of one station: which discharge is reached in 5, 10, … 95 percent of the good values.
WITH percents(percent) AS (VALUES (5), (10), (25), (50), (75), (90), (95)),
     ranked AS (SELECT value, count(*) OVER (ORDER BY value DESC) AS reached, count(*) OVER () AS good FROM readable
                WHERE mote = 'USGS-08068500' AND property = 'discharge' AND quality = 'good')
SELECT percent, max(value) AS discharge
FROM percents JOIN ranked ON 100 * reached >= percent * good
GROUP BY percent
ORDER BY percent;
