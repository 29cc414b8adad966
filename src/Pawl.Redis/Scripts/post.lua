-- ARGV: id, name, message. Answer: 1 when it is the first of its name, 0 when there is one, -1 without such a run.
local run = load(ARGV[1])
if not run then return -1 end
local n = tonumber(run.messages) + 1
if redis.call('HSETNX', root .. 'inbox:' .. run.id, ARGV[2], n .. ' ' .. ARGV[3]) == 0 then return 0 end
redis.call('HSET', run.key, 'messages', n)
if run.queue ~= '' and run.seen ~= '' and n > tonumber(run.seen) then
  run.due = '0'
  redis.call('HSET', run.key, 'due', '0')
  settle(run)
end
tell(run.id)
-- Durable when this is answered, and the run is due with it.
return 1
