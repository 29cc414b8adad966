-- ARGV: id, owner, holder, lease. Answer: the token and nothing, or nothing and who has it; nil when there is no such run.
local run = load(ARGV[1])
if not run then return false end
if live(run) then return {'', redis.call('HGET', run.key, 'owner')} end
claim(run, ARGV[2], ARGV[3], tonumber(ARGV[4]))
-- The raised token is durable when this is answered: from here on the commits of whoever had the run before are refused.
return {run.token, ''}
