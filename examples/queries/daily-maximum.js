// The highest good water temperature of each day (UTC) at every station.
db.readable.aggregate([
  {"$match": {"property": "water-temperature", "quality": "good",
              "time": {"$gte": ISODate("2011-05-01T00:00:00Z"), "$lt": ISODate("2011-12-01T00:00:00Z")}}},
  {"$group": {"_id": {"mote": "$mote", "day": {"$dateToString": {"format": "%Y-%m-%d", "date": "$time"}}},
              "maximum": {"$max": "$value"}}},
  {"$sort": {"_id.mote": 1, "_id.day": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "day": "$_id.day", "maximum": 1}}
]).forEach(row => print(EJSON.stringify(row)))
