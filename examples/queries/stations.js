// What every station measures: the number of values of each sensor, and the times of the first and the last one.
db.readable.aggregate([
  {"$group": {"_id": {"mote": "$mote", "property": "$property"}, "observations": {"$sum": 1},
              "first": {"$min": "$time"}, "last": {"$max": "$time"}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property", "observations": 1, "first": 1, "last": 1}}
]).forEach(row => print(EJSON.stringify(row)))
