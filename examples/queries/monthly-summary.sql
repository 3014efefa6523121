-- Number, lowest, mean and highest of the good values of each sensor in each month (UTC).
SELECT mote, property, substr(time, 1, 7) AS month, count(*) AS good, min(value) AS lowest, avg(value) AS mean,
       max(value) AS highest
FROM readable
WHERE quality = 'good'
GROUP BY mote, property, month
ORDER BY mote, property, month;
