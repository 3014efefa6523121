// Corrected values: times for which one sensor sent different values. Nothing is overwritten.
db.readable.aggregate([
  {"$group": {"_id": {"mote": "$mote", "property": "$property", "time": "$time"}, "versions": {"$sum": 1},
              "lowest": {"$min": "$value"}, "highest": {"$max": "$value"}}},
  {"$match": {"versions": {"$gt": 1}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1, "_id.time": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property", "time": "$_id.time",
                "versions": 1, "lowest": 1, "highest": 1}}
]).forEach(row => print(EJSON.stringify(row)))
