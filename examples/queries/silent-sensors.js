// Sensors that have sent nothing since a given time, here since 18 November 2011.
db.readable.aggregate([
  {"$group": {"_id": {"mote": "$mote", "property": "$property"}, "last": {"$max": "$time"}}},
  {"$match": {"last": {"$lt": ISODate("2011-11-18T00:00:00Z")}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property", "last": 1}}
]).forEach(row => print(EJSON.stringify(row)))
