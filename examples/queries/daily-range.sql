-- The range of the water temperature within each day (UTC) at every station, from good values.
SELECT mote, substr(time, 1, 10) AS day, max(value) - min(value) AS range, count(*) AS good
FROM readable
WHERE property = 'water-temperature' AND quality = 'good' AND time >= '2011-05-01' AND time < '2011-12-01'
GROUP BY mote, day
ORDER BY mote, day;
