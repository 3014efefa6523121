-- Good turbidity above 100 FNU at any station.
SELECT mote, time, value
FROM readable
WHERE property = 'turbidity' AND value > 100 AND quality = 'good'
ORDER BY mote, time;
