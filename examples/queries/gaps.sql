-- Gaps in the discharge of one station: where the next value came more than an hour later.
SELECT time AS begin, next AS end, round((julianday(next) - julianday(time)) * 1440) AS minutes
FROM (SELECT time, lead(time) OVER (ORDER BY time) AS next FROM readable
      WHERE mote = 'USGS-02336300' AND property = 'discharge')
WHERE minutes > 60
ORDER BY begin;
