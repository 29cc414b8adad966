-- What all scripts share. A script is one act: nobody sees a part of it, and the server's log (AOF) holds all of its writes or none.
-- Values come as arguments and never become code. Every key begins with KEYS[1], whose hash tag keeps them on one node of a cluster.
--
-- run:ID       hash    the right to execute it, its place in its queue, its head
-- journal:ID   list    its lines, the first at the left: a record's place is its number
-- payloads:ID  hash    content by its SHA-256
-- inbox:ID     hash    'N MESSAGE' by name, N the order of arrival
-- runs, workflow:W, status:S, label:L    sorted by creation and id, for lists
-- line:Q:CLASS:KIND, turns:Q:CLASS:KIND  who can be taken from queue Q, by urgency; the second by partition first. CLASS is fresh or again, KIND a workflow
--                                        with its version, or * for runs that carry their definition
-- held:Q, opening:Q, began:Q   when leases end, those of runs not begun, and when runs began
-- timed                        whose time will come
-- holders:REALM, holds:HOLDER  processes of a machine, and what they hold
-- store        hash    format, and the last fencing token: over all runs, so that none is ever given twice
-- turn         hash    the partition of Q that was taken from last
local root = KEYS[1]
local time = redis.call('TIME')
-- Microseconds of the server's clock: the only one that leases and due times are compared with.
local now = time[1] * 1000000 + time[2]

-- Lua's own text of a number of this size is 1.7e+15.
local function text(number) return string.format('%.0f', number) end

local queued = {'token', 'held', 'until', 'holder', 'status', 'kind', 'portable', 'queue', 'rank', 'part', 'due', 'seen', 'messages', 'began', 'lined'}

-- What queues and claims go by; nil when there is no such run.
local function load(id)
  local key = root .. 'run:' .. id
  local values = redis.call('HMGET', key, unpack(queued))
  if not values[1] then return nil end
  local run = {id = id, key = key}
  for i, name in ipairs(queued) do run[name] = values[i] end
  return run
end

-- A lease that ran out is nobody's for whoever asks; for its holder it is good until another takes the run.
local function live(run) return run.held == '1' and tonumber(run['until']) > now end

local function stand(run, lined, command, score)
  local names = {lined}
  if run.portable == '1' then names[2] = string.sub(lined, 1, 5) .. ':*' end
  for _, name in ipairs(names) do
    local tail = run.queue .. ':' .. name
    local args = score and {score, run.rank} or {run.rank}
    redis.call(command, root .. 'line:' .. tail, unpack(args))
    args[#args] = run.part .. '\0' .. run.rank
    redis.call(command, root .. 'turns:' .. tail, unpack(args))
  end
end

local function mark(name, is, score, id)
  if is then redis.call('ZADD', root .. name, score, id) else redis.call('ZREM', root .. name, id) end
end

-- Puts a run where its queue looks for it. Called behind every change of what it reads.
local function settle(run)
  if run.queue == '' then return end
  local held = live(run)
  mark('held:' .. run.queue, held, run['until'], run.id)
  mark('opening:' .. run.queue, held and run.began == '', run['until'], run.id)
  mark('timed', run.due ~= '' and run.due ~= '0', run.due, run.id)
  local lined = ''
  if run.due == '0' and not held then lined = (run.status == 'pending' and 'fresh:' or 'again:') .. run.kind end
  if lined == run.lined then return end
  if run.lined ~= '' then stand(run, run.lined, 'ZREM') end
  if lined ~= '' then stand(run, lined, 'ZADD', 0) end
  run.lined = lined
  redis.call('HSET', run.key, 'lined', lined)
end

-- Its former holder is looked for no more.
local function forget(run)
  if run.holder == '' then return end
  local holds = root .. 'holds:' .. run.holder
  redis.call('SREM', holds, run.id)
  if redis.call('EXISTS', holds) == 0 then redis.call('SREM', root .. 'holders:' .. string.match(run.holder, '@(.*)$'), run.holder) end
  run.holder = ''
end

-- Gives the run to an owner, under a token greater than any before.
local function claim(run, owner, holder, lease)
  forget(run)
  run.token, run.held, run.holder = text(redis.call('HINCRBY', root .. 'store', 'token', 1)), '1', holder
  run['until'] = text(now + lease)
  redis.call('HSET', run.key, 'token', run.token, 'held', '1', 'until', run['until'], 'owner', owner, 'holder', holder)
  if holder ~= '' then
    redis.call('SADD', root .. 'holds:' .. holder, run.id)
    redis.call('SADD', root .. 'holders:' .. string.match(holder, '@(.*)$'), holder)
  end
  settle(run)
end

-- The head as lists show it, with the owner only while the lease lives.
local function head(id)
  local values = redis.call('HMGET', root .. 'run:' .. id, 'head', 'seq', 'hash', 'updated', 'done', 'recoveries', 'owner', 'held', 'until')
  if not values[1] then return nil end
  if values[8] ~= '1' or tonumber(values[9]) <= now then values[7] = '' end
  values[8], values[9] = nil, nil
  return values
end

-- Byte by byte: the server compares strings in its locale. Digits are in the same order in each.
local function before(one, other)
  local left, right = string.sub(one, 1, 19), string.sub(other, 1, 19)
  if left ~= right then return left < right end
  for i = 20, math.min(#one, #other) do
    left, right = string.byte(one, i), string.byte(other, i)
    if left ~= right then return left < right end
  end
  return #one < #other
end

-- Hints for those who watch: a run that has a message, or nothing when there may be runs to take. The channel names the database, which channels do not know.
local function tell(what) redis.call('PUBLISH', KEYS[2], what) end

