-- When the water at one station rose by more than 0.25 ft within an hour, from good values.
WITH stage AS (SELECT time, value FROM readable
               WHERE mote = 'USGS-08068500' AND property = 'gage-height' AND quality = 'good')
SELECT a.time AS time, a.value AS value, a.value - b.value AS rise
FROM stage a JOIN stage b ON b.time = strftime('%Y-%m-%dT%H:%M:%fZ', a.time, '-1 hour')
WHERE rise > 0.25
ORDER BY a.time;
