// Values whose quality changed after they were stored, because the next value showed a spike or they were
// evaluated again.
db.readable.aggregate([
  {"$match": {"$expr": {"$ne": ["$quality", "$first_quality"]}}},
  {"$sort": {"mote": 1, "property": 1, "time": 1}},
  {"$project": {"_id": 0, "mote": 1, "property": 1, "time": 1, "value": 1, "first_quality": 1, "quality": 1}}
]).forEach(row => print(EJSON.stringify(row)))
