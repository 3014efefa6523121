-- For wrk: a pack of one record from one of the motes of the file that IR_TOKENS names ("MOTE TOKEN" lines); every
-- pack is another one.
local motes, number = {}, 0

function setup(thread)
    thread:set("place", place or 0)
    place = (place or 0) + 1
end

function init()
    for line in io.lines(os.getenv("IR_TOKENS")) do
        local mote, token = line:match("(%S+) (%S+)")
        motes[#motes + 1] = {name = mote, token = token}
    end
    number = place * 1e8
end

function request()
    number = number + 1
    local mote = motes[number % #motes + 1]
    local body = string.format('[{"n":"%s/00010","u":"Cel","t":%d,"v":%.2f}]', mote.name, 1320469200 + number, number % 3000 / 100)
    return wrk.format("POST", "/v1/observations",
        {["Content-Type"] = "application/senml+json", ["Authorization"] = "Bearer " .. mote.token}, body)
end
