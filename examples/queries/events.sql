-- Events at one station: begin, end and peak of each period in which its good discharge stayed above 100 ft3/s.
SELECT min(time) AS begin, max(time) AS end, max(value) AS peak, count(*) AS good
FROM (SELECT time, value, sum(value <= 100) OVER (ORDER BY time) AS event FROM readable
      WHERE mote = 'USGS-08068500' AND property = 'discharge' AND quality = 'good')
WHERE value > 100
GROUP BY event
ORDER BY begin;
