-- A page of heads, newest first. ARGV: behind (a place, or nothing), since (nothing, or where places of that time begin), limit, looks, then conditions: for each how many sets, and
-- their names; a run must be in one set of each. Answer: where to go on (nothing: it is the end), then heads.
local limit, looks = tonumber(ARGV[3]), tonumber(ARGV[4])
local conditions, at = {}, 5
while at <= #ARGV do
  local sets, size = {}, 0
  for i = 1, tonumber(ARGV[at]) do
    sets[i] = root .. ARGV[at + i]
    size = size + redis.call('ZCARD', sets[i])
  end
  at = at + 1 + #sets
  conditions[#conditions + 1] = {sets = sets, size = size}
end
-- The smallest leads: what is read does not grow with the runs that it leaves out.
table.sort(conditions, function(one, other) return one.size < other.size end)
if conditions[1].size == 0 then return {''} end

local highest, lowest = ARGV[1] == '' and '+' or '(' .. ARGV[1], ARGV[2] == '' and '-' or '[' .. ARGV[2]
local readers = {}
for i, set in ipairs(conditions[1].sets) do readers[i] = {set = set, from = highest, places = {}, next = 1} end

local function peek(reader)
  if reader.next > #reader.places and not reader.ended then
    reader.places, reader.next = redis.call('ZREVRANGEBYLEX', reader.set, reader.from, lowest, 'LIMIT', 0, 64), 1
    if #reader.places < 64 then reader.ended = true end
    if #reader.places > 0 then reader.from = '(' .. reader.places[#reader.places] end
  end
  return reader.places[reader.next]
end

local function meets(place)
  for i = 2, #conditions do
    local found = false
    for _, set in ipairs(conditions[i].sets) do found = found or redis.call('ZSCORE', set, place) end
    if not found then return false end
  end
  return true
end

local answer, place = {''}, ''
for _ = 1, looks do
  local newest
  for _, reader in ipairs(readers) do
    local mine = peek(reader)
    if mine and (not newest or before(peek(newest), mine)) then newest = reader end
  end
  if not newest then return answer end
  place = peek(newest)
  newest.next = newest.next + 1
  if meets(place) then answer[#answer + 1] = head(string.sub(place, 20)) end
  if #answer > limit then break end
end
answer[1] = place
return answer
