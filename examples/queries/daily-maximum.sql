-- The highest good water temperature of each day (UTC) at every station.
SELECT mote, substr(time, 1, 10) AS day, max(value) AS maximum
FROM readable
WHERE property = 'water-temperature' AND quality = 'good' AND time >= '2011-05-01' AND time < '2011-12-01'
GROUP BY mote, day
ORDER BY mote, day;
