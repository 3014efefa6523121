// How many values of each sensor are good, and how many are left out, by their newest verdict.
db.readable.aggregate([
  {"$group": {"_id": {"mote": "$mote", "property": "$property"},
              "good": {"$sum": {"$cond": [{"$eq": ["$quality", "good"]}, 1, 0]}},
              "suspect": {"$sum": {"$cond": [{"$eq": ["$quality", "suspect"]}, 1, 0]}},
              "fail": {"$sum": {"$cond": [{"$eq": ["$quality", "fail"]}, 1, 0]}},
              "unknown": {"$sum": {"$cond": [{"$in": ["$quality", ["not_evaluated", "missing"]]}, 1, 0]}}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property",
                "good": 1, "suspect": 1, "fail": 1, "unknown": 1}}
]).forEach(row => print(EJSON.stringify(row)))
