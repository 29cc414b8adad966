-- The choice of WorkChoice, claimed. ARGV: owner, holder, lease, how many kinds the worker can execute, these, then for each queue: name, places, concurrency, rate, window,
-- the partition's key that takes turns (behind a '=', nothing: no turns). Answer: for each run taken its id and token, and its head before.
local owner, holder, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local kinds = {unpack(ARGV, 5, 4 + tonumber(ARGV[4]))}
local classes = {'fresh', 'again'}
local parts_at_once = 250

-- Whose time has come goes into line: so many at once that a night's backlog holds nobody up.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'timed', '-inf', now, 'LIMIT', 0, 1000)) do
  local run = load(id)
  run.due = '0'
  redis.call('HSET', run.key, 'due', '0')
  settle(run)
end

local function each_line(queue, visit)
  for _, class in ipairs(classes) do
    for _, kind in ipairs(kinds) do visit(queue .. ':' .. class .. ':' .. kind, class) end
  end
end

-- A run that carries its definition may stand in two lines.
local function add(candidates, seen, rank, class, part)
  if seen[rank] then return end
  seen[rank] = true
  candidates[#candidates + 1] = {id = string.sub(rank, 30), rank = rank, class = class, part = part, turn = 0}
end

local function by_rank(one, other) return before(one.rank, other.rank) end

local function first_come(queue, places)
  local candidates, seen = {}, {}
  each_line(queue, function(line, class)
    for _, rank in ipairs(redis.call('ZRANGEBYLEX', root .. 'line:' .. line, '-', '+', 'LIMIT', 0, places)) do add(candidates, seen, rank, class) end
  end)
  table.sort(candidates, by_rank)
  return candidates
end

-- The n-th run of a partition's value, those that execute counted, comes behind the (n-1)-th of every other. What is read follows the partitions, not the runs: of each the first few;
-- and of more partitions than can be looked at those in front of the line, and as many that follow the one taken from last, round and round, so that none is left out for long.
local function in_turn(queue, places, fair)
  local parts, known = {}, {}
  local function meet(part)
    if known[part] then return end
    known[part] = true
    parts[#parts + 1] = part
  end
  local last = redis.call('HGET', root .. 'turn', queue) or ''
  each_line(queue, function(line)
    for _, rank in ipairs(redis.call('ZRANGEBYLEX', root .. 'line:' .. line, '-', '+', 'LIMIT', 0, places)) do meet(redis.call('HGET', root .. 'run:' .. string.sub(rank, 30), 'part')) end
    -- From partition to partition in one look each. \0 stands behind a partition's text, and \1 behind all of it.
    local function behind(part)
      local found = redis.call('ZRANGEBYLEX', root .. 'turns:' .. line, part == '' and '-' or '(' .. part .. '\1', '+', 'LIMIT', 0, 1)[1]
      return found and string.sub(found, 1, string.find(found, '\0', 1, true) - 1)
    end
    local first = behind(last) or behind('')
    local part = first
    for _ = 1, parts_at_once do
      if not part then break end
      meet(part)
      part = behind(part) or behind('')
      if part == first then break end
    end
  end)

  local function value(part)
    local of = cjson.decode(part)[fair]
    return of or ''
  end
  local busy = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'held:' .. queue, '(' .. text(now), '+inf')) do
    local of = value(redis.call('HGET', root .. 'run:' .. id, 'part'))
    busy[of] = (busy[of] or 0) + 1
  end
  local values, seen = {}, {}
  for _, part in ipairs(parts) do
    local of = value(part)
    values[of] = values[of] or {}
    each_line(queue, function(line, class)
      for _, member in ipairs(redis.call('ZRANGEBYLEX', root .. 'turns:' .. line, '[' .. part .. '\0', '(' .. part .. '\1', 'LIMIT', 0, places)) do
        add(values[of], seen, string.sub(member, #part + 2), class, part)
      end
    end)
  end
  local candidates = {}
  for of, runs in pairs(values) do
    table.sort(runs, by_rank)
    for i, run in ipairs(runs) do
      run.turn = (busy[of] or 0) + i
      candidates[#candidates + 1] = run
    end
  end
  table.sort(candidates, function(one, other)
    if one.turn ~= other.turn then return one.turn < other.turn end
    return by_rank(one, other)
  end)
  return candidates
end

local taken = {}
for at = 5 + #kinds, #ARGV, 6 do
  local queue, places, concurrency, rate, window, fair = unpack(ARGV, at, at + 5)
  -- Whose lease ran out is in line again.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'held:' .. queue, '-inf', now, 'LIMIT', 0, 1000)) do settle(load(id)) end
  local function holding(set) return redis.call('ZCOUNT', root .. set .. queue, '(' .. text(now), '+inf') end
  local free, starts = tonumber(places), math.huge
  if concurrency ~= '' then free = math.min(free, tonumber(concurrency) - holding('held:')) end
  if rate ~= '' then starts = tonumber(rate) - redis.call('ZCOUNT', root .. 'began:' .. queue, '(' .. text(now - tonumber(window)), '+inf') - holding('opening:') end
  if free > 0 then
    for _, one in ipairs(fair == '' and first_come(queue, free) or in_turn(queue, free, string.sub(fair, 2))) do
      if free <= 0 then break end
      local may = one.class ~= 'fresh' or starts > 0
      if may then
        if one.class == 'fresh' then starts = starts - 1 end
        free = free - 1
        local was = head(one.id)
        local run = load(one.id)
        -- A token greater than any before, durable when this is answered.
        claim(run, owner, holder, lease)
        if one.part then redis.call('HSET', root .. 'turn', queue, one.part) end
        taken[#taken + 1] = {one.id, run.token, unpack(was)}
      end
    end
  end
end
return taken
