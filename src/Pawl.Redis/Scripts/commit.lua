-- The commit: any number of runs, each by itself; one round trip and, where the server flushes before it answers, one flush.
-- ARGV, for each commit: id, token, release (1 or nothing), records; with records: first, last, hash, updated, done, recoveries, changes; with changes (1: more than a step's):
-- status, kind, due, began, seen, head; then the lines; then payloads, and the name and content of each.
-- Answer, for each: committed, lost or conflict.
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end

local answers, awake = {}, false
while at < #ARGV do
  local id, token, release, records = take(), take(), take() == '1', tonumber(take())
  local first, last, hash, updated, done, recoveries, changes, status, kind, due, began, seen, packed
  if records > 0 then
    first, last, hash, updated, done, recoveries, changes = tonumber(take()), take(), take(), take(), take(), take(), take() == '1'
    if changes then status, kind, due, began, seen, packed = take(), take(), take(), take(), take(), take() end
  end
  local lines = at
  at = at + records
  local payloads = tonumber(take())
  local contents = at
  at = at + 2 * payloads

  local key = root .. 'run:' .. id
  local known = redis.call('HMGET', key, 'token', 'held', 'seq', 'hash')
  -- The same commit sent again: its answer was lost, its records are here.
  local is_there = records > 0 and known[3] == last and known[4] == hash
  local answer = 'committed'
  -- Nothing was written for this run up to here, and what refuses it writes nothing: the others stand or fall alone.
  if known[1] ~= token then
    answer = 'lost'
  elseif known[2] ~= '1' then
    if not is_there then answer = 'lost' end
  elseif records > 0 and not is_there and tonumber(known[3]) ~= first - 1 then
    answer = 'conflict'
  else
    local writes = records > 0 and not is_there
    -- From the first write to the end of the script is one entry of the server's log (MULTI … EXEC): a crash in between, or a torn end of the log, leaves none of it.
    if writes then
      -- The records, byte for byte, behind the last one. What is stored grows with their own length, not with the journal's.
      for i = 1, records do redis.call('RPUSH', root .. 'journal:' .. id, ARGV[lines + i]) end
      -- What they refer to. One that is there already has the same content: it is named by its hash.
      for i = 1, payloads do redis.call('HSET', root .. 'payloads:' .. id, ARGV[contents + 2 * i - 1], ARGV[contents + 2 * i]) end
      -- The head behind them: what a step changes; all else below.
      redis.call('HSET', key, 'seq', last, 'hash', hash, 'updated', updated, 'done', done, 'recoveries', recoveries)
    end
    if (writes and changes) or release then
      local run = load(id)
      if writes and changes then
        if run.status ~= status then
          local place = redis.call('HGET', key, 'place')
          redis.call('ZREM', root .. 'status:' .. run.status, place)
          redis.call('ZADD', root .. 'status:' .. status, 0, place)
        end
        run.status, run.kind, run.seen = status, kind, seen
        -- A message that came before the run began to wait, and that it has not seen, wakes it now.
        if run.queue == '' then run.due = ''
        elseif seen ~= '' and tonumber(run.messages) > tonumber(seen) then run.due = '0'
        elseif due ~= '' and tonumber(due) <= now then run.due = '0'
        else run.due = due end
        if run.began == '' and began ~= '' then
          run.began = text(math.min(tonumber(began), now))
          if run.queue ~= '' then redis.call('ZADD', root .. 'began:' .. run.queue, run.began, id) end
        end
        redis.call('HSET', key, 'status', status, 'kind', kind, 'seen', seen, 'due', run.due, 'began', run.began, 'head', packed)
      end
      if release then
        -- The lease is given back in the same act: whoever sees the end of the pass can claim the run.
        forget(run)
        run.held = '0'
        redis.call('HSET', key, 'held', '0', 'until', '0', 'owner', '', 'holder', '')
      end
      settle(run)
      awake = awake or (release and run.status == 'waiting' and run.lined ~= '')
    end
  end
  answers[#answers + 1] = answer
end
if awake then tell('') end
-- Durable when this is answered (appendfsync always): the server flushes its log before it sends any answer of the round in which the script ran.
-- A crash before leaves all of it or nothing, and the same commits sent again find out which.
return answers
