-- Creates a run with its first record, and claims it for an owner when there is one.
-- ARGV: id, workflow, status, kind, portable, queue, rank, place, part, labels, due, seq, hash, updated, head, line, owner, holder, lease
-- Answer: its token, 0 when it is nobody's; or the head of the run that has the id.
local id, workflow, status, kind, portable, queue, rank, place, part, labels, due = unpack(ARGV, 1, 11)
local seq, hash, updated, packed, line, owner, holder, lease = unpack(ARGV, 12, 19)
local existing = head(id)
if existing then return existing end
if queue == '' then due = '' elseif due ~= '' and tonumber(due) <= now then due = '0' end
local key = root .. 'run:' .. id
-- All below is one entry of the server's log: behind a crash the run is there whole, or not at all.
redis.call('HSET', key, 'token', '0', 'held', '0', 'until', '0', 'owner', '', 'holder', '', 'status', status, 'workflow', workflow, 'kind', kind, 'portable', portable,
  'queue', queue, 'rank', rank, 'place', place, 'part', part, 'labels', labels, 'due', due, 'seen', '', 'messages', '0', 'began', '', 'lined', '',
  'born', redis.call('HINCRBY', root .. 'store', 'born', 1), 'seq', seq, 'hash', hash, 'updated', updated, 'done', '0', 'recoveries', '0', 'head', packed)
redis.call('RPUSH', root .. 'journal:' .. id, line)
redis.call('ZADD', root .. 'runs', 0, place)
redis.call('ZADD', root .. 'workflow:' .. workflow, 0, place)
redis.call('ZADD', root .. 'status:' .. status, 0, place)
for label in string.gmatch(labels, '[^\n]+') do redis.call('ZADD', root .. 'label:' .. label, 0, place) end
local run = load(id)
if owner ~= '' then
  claim(run, owner, holder, tonumber(lease))
else
  settle(run)
  if queue ~= '' then tell('') end
end
-- Durable when this is answered, as far as the server flushes before it answers (appendfsync always).
return run.token
