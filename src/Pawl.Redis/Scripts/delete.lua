-- ARGV: id. Answer: 1 when it is gone, 0 when there is no such run, or who holds it.
local run = load(ARGV[1])
if not run then return 0 end
local workflow, place, labels, owner = unpack(redis.call('HMGET', run.key, 'workflow', 'place', 'labels', 'owner'))
if live(run) then return owner end
forget(run)
-- In no line, under no time, among none that are held.
run.held, run.due = '0', ''
settle(run)
if run.queue ~= '' then redis.call('ZREM', root .. 'began:' .. run.queue, run.id) end
redis.call('ZREM', root .. 'runs', place)
redis.call('ZREM', root .. 'workflow:' .. workflow, place)
redis.call('ZREM', root .. 'status:' .. run.status, place)
for label in string.gmatch(labels, '[^\n]+') do redis.call('ZREM', root .. 'label:' .. label, place) end
redis.call('UNLINK', run.key, root .. 'journal:' .. run.id, root .. 'payloads:' .. run.id, root .. 'inbox:' .. run.id)
return 1
