-- For wrk: sends packs of one record from the motes in the file that IR_TOKENS names ("MOTE TOKEN" lines); all packs
-- differ. The common part of a mote's requests is made only once, so that the load generator uses little CPU.
local PLACE = "@@@@@@@@@@@@@@@@@@@@@@@@" -- as long as the text that replaces it
local POINT = '"t":%d,"v":%.2f'      -- ten digits and five characters

local motes, number = {}, 0

function setup(thread)
    thread:set("place", place or 0)
    place = (place or 0) + 1
end

-- The text before and after the point.
local function parts(mote, token)
    local headers = {["Content-Type"] = "application/senml+json", ["Authorization"] = "Bearer " .. token}
    local body = string.format('[{"n":"%s/00010","u":"Cel",%s}]', mote, PLACE)
    local text = wrk.format("POST", "/v1/observations", headers, body)
    local first, last = text:find(PLACE, 1, true)
    return {text:sub(1, first - 1), text:sub(last + 1)}
end

function init()
    for line in io.lines(os.getenv("IR_TOKENS")) do
        motes[#motes + 1] = parts(line:match("(%S+) (%S+)"))
    end
    number = place * 1e8
end

function request()
    number = number + 1
    local mote = motes[number % #motes + 1]
    return mote[1] .. string.format(POINT, 1320469200 + number, 10 + number % 9000 / 100) .. mote[2]
end
