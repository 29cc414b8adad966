-- ARGV: holders that are dead for certain. What they hold is free from here on.
for _, holder in ipairs(ARGV) do
  for _, id in ipairs(redis.call('SMEMBERS', root .. 'holds:' .. holder)) do
    local run = load(id)
    run['until'] = '0'
    forget(run)
    redis.call('HSET', run.key, 'until', '0', 'holder', '')
    settle(run)
  end
end
return #ARGV
