// The range of the water temperature within each day (UTC) at every station, from good values.
db.readable.aggregate([
  {"$match": {"property": "water-temperature", "quality": "good",
              "time": {"$gte": ISODate("2011-05-01T00:00:00Z"), "$lt": ISODate("2011-12-01T00:00:00Z")}}},
  {"$group": {"_id": {"mote": "$mote", "day": {"$dateToString": {"format": "%Y-%m-%d", "date": "$time"}}},
              "lowest": {"$min": "$value"}, "highest": {"$max": "$value"}, "good": {"$sum": 1}}},
  {"$sort": {"_id.mote": 1, "_id.day": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "day": "$_id.day",
                "range": {"$subtract": ["$highest", "$lowest"]}, "good": 1}}
]).forEach(row => print(EJSON.stringify(row)))
