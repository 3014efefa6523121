// How often each quality test finds values of each property suspect or failed, by the newest flags.
db.readable.aggregate([
  {"$project": {"property": 1, "flag": {"$objectToArray": "$flags"}}},
  {"$unwind": "$flag"},
  {"$match": {"flag.v": {"$in": [3, 4]}}},
  {"$group": {"_id": {"property": "$property",
                      "test": {"$replaceAll": {"input": "$flag.k", "find": "_", "replacement": " "}}},
              "suspect": {"$sum": {"$cond": [{"$eq": ["$flag.v", 3]}, 1, 0]}},
              "fail": {"$sum": {"$cond": [{"$eq": ["$flag.v", 4]}, 1, 0]}}}},
  {"$sort": {"_id.property": 1, "_id.test": 1}},
  {"$project": {"_id": 0, "property": "$_id.property", "test": "$_id.test", "suspect": 1, "fail": 1}}
]).forEach(row => print(EJSON.stringify(row)))
