-- ARGV: lease, then id and token of each. Answer: those that are no longer valid, by their place from 1.
local lost = {}
for at = 2, #ARGV, 2 do
  local run = load(ARGV[at])
  if run and run.token == ARGV[at + 1] and run.held == '1' then
    run['until'] = text(now + tonumber(ARGV[1]))
    redis.call('HSET', run.key, 'until', run['until'])
    settle(run)
  else
    lost[#lost + 1] = at / 2
  end
end
return lost
