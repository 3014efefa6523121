-- The course of dissolved oxygen through the day at one station: the mean of the good values of each hour (UTC).
SELECT CAST(substr(time, 12, 2) AS INTEGER) AS hour, avg(value) AS mean, count(*) AS good
FROM readable
WHERE mote = 'USGS-08068500' AND property = 'dissolved-oxygen' AND quality = 'good'
GROUP BY hour
ORDER BY hour;
