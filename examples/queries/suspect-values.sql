-- The values of one station that are suspect or fail, with the reasons, by the newest verdict.
SELECT time, property, value, quality, reasons
FROM readable
WHERE mote = 'USGS-02336300' AND quality IN ('suspect', 'fail')
ORDER BY time, property;
