// Number, lowest, mean and highest of the good values of each sensor in each month (UTC).
db.readable.aggregate([
  {"$match": {"quality": "good"}},
  {"$group": {"_id": {"mote": "$mote", "property": "$property",
                      "month": {"$dateToString": {"format": "%Y-%m", "date": "$time"}}},
              "good": {"$sum": 1}, "lowest": {"$min": "$value"}, "mean": {"$avg": "$value"},
              "highest": {"$max": "$value"}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1, "_id.month": 1}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property", "month": "$_id.month",
                "good": 1, "lowest": 1, "mean": 1, "highest": 1}}
]).forEach(row => print(EJSON.stringify(row)))
