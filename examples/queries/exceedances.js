// Good turbidity above 100 FNU at any station.
db.readable.aggregate([
  {"$match": {"property": "turbidity", "value": {"$gt": 100}, "quality": "good"}},
  {"$sort": {"mote": 1, "time": 1}},
  {"$project": {"_id": 0, "mote": 1, "time": 1, "value": 1}}
]).forEach(row => print(EJSON.stringify(row)))
